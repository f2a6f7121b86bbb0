/* SPDX-License-Identifier: MIT */
#include "http/metrics.h"

#include <inttypes.h>

void metrics_head(struct strbuf *b, const char *name, const char *type, const char *help)
{
        strbuf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values here are words of ours, or a version: none has anything to escape. */
void metrics_int(struct strbuf *b, const char *name, const char *label, const char *value, int64_t v)
{
        if (label)
                strbuf_printf(b, "%s{%s=\"%s\"} %" PRId64 "\n", name, label, value, v);
        else
                strbuf_printf(b, "%s %" PRId64 "\n", name, v);
}

void metrics_float(struct strbuf *b, const char *name, double v)
{
        strbuf_printf(b, "%s %.17g\n", name, v);
}

void metrics_gauge(struct strbuf *b, const char *name, const char *help, int64_t v)
{
        metrics_head(b, name, "gauge", help);
        metrics_int(b, name, NULL, NULL, v);
}

void metrics_counter(struct strbuf *b, const char *name, const char *help, uint64_t v)
{
        metrics_head(b, name, "counter", help);
        metrics_int(b, name, NULL, NULL, (int64_t)v);
}

void metrics_histogram(struct strbuf *b, const char *name, const char *help, const struct histogram *h,
                       const struct histogram_scale *scale, double unit)
{
        uint64_t n = 0;
        int i;

        metrics_head(b, name, "histogram", help);
        for (i = 0; scale->bounds[i]; i++) {
                n += counter_get(&h->buckets[i]);
                strbuf_printf(b, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)scale->bounds[i] / unit,
                              n);
        }
        n += counter_get(&h->buckets[i]);
        strbuf_printf(b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
        strbuf_printf(b, "%s_sum %.17g\n", name, (double)counter_get(&h->sum) / unit);
        strbuf_printf(b, "%s_count %" PRIu64 "\n", name, n);
}
