/* SPDX-License-Identifier: MIT */
/* http/metrics.h
 * Prometheus's text format, 0.0.4: a family is its head, and then its samples.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_METRICS_H
#define CRECHE_HTTP_METRICS_H

#include <stdint.h>

#include "base/histogram.h"
#include "base/strbuf.h"

/** "# HELP name help" and "# TYPE name type"; @help is one line. */
void metrics_head(struct strbuf *b, const char *name, const char *type, const char *help);

/** "name{label="value"} v"; without @label: "name v". */
void metrics_int(struct strbuf *b, const char *name, const char *label, const char *value, int64_t v);
void metrics_float(struct strbuf *b, const char *name, double v);

/** A family with one sample. */
void metrics_gauge(struct strbuf *b, const char *name, const char *help, int64_t v);
void metrics_counter(struct strbuf *b, const char *name, const char *help, uint64_t v);

/** A whole histogram. Values are shown divided by @unit: 1e6 makes seconds of microseconds. */
void metrics_histogram(struct strbuf *b, const char *name, const char *help, const struct histogram *h,
                       const struct histogram_scale *scale, double unit);

#endif
