/* SPDX-License-Identifier: MIT */
/* registry/targets.h
 * Named targets: put, deleted, shown. What is in their definitions is no matter of the registry.
 *
 * What is here does not ask whether the caller may: the scopes `admin` and `read` are asked for before. Tickets and
 * returns as in registry.h.
 */
#ifndef CRECHE_REGISTRY_TARGETS_H
#define CRECHE_REGISTRY_TARGETS_H

#include "model/target.h"
#include "registry/registry.h"

/** Put @definition under @name. t->replaced: it took the place of another. Processes that were created from that keep
 * what they have. ERR_FULL, ERR_UNAVAILABLE. */
int registry_target_put(struct registry *r, const struct caller *who, const char *name,
                        const char *definition, struct ticket *t);

/** ERR_NOT_FOUND. */
int registry_target_delete(struct registry *r, const struct caller *who, const char *name, struct ticket *t);

typedef void (*registry_show_target_fn)(const struct target *t, void *arg);

/** Show the target @name, which may be any text. ERR_NOT_FOUND. */
int registry_target_show(struct registry *r, const char *name, registry_show_target_fn show, void *arg,
                         struct err *e);

/** Show a page of targets. 1: there are more. */
int registry_targets_list(struct registry *r, const struct page *page, registry_show_target_fn show,
                          void *arg, struct err *e);

#endif
