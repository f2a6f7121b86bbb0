/* SPDX-License-Identifier: MIT */
/* join, wait-any: until they have ended. */
#include "cli/cmd.h"
#include "cli/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/select.h"
#include "cli/view.h"
#include "cli/wait.h"

enum { JOIN_MAX = 1000, LOOK_S = 1 };

static json_t *ids_of(const json_t *processes, size_t from, size_t n)
{
        json_t *ids = json_array();

        for (size_t i = from; i < from + n && i < json_array_size(processes); i++)
                json_array_append(ids, json_object_get(json_array_get(processes, i), "id"));
        return ids;
}

/* One request; those that have ended are added to @ready, the ids of the others to @pending. */
static int join_once(struct cli *c, json_t *ids, bool any, double timeout, json_t *ready, json_t *pending,
                     struct fail *f)
{
        CLEANUP(json_putp) json_t *answer = NULL;
        struct wait w;
        int rc;

        wait_begin(&w, &c->client, ids, any, timeout);
        while (!w.x.done)
                client_turn(&c->client, 1000);
        rc = wait_finish(&w, &answer, f);
        wait_done(&w);
        json_array_extend(ready, json_object_get(answer, "ready"));
        json_array_extend(pending, json_object_get(answer, "pending"));
        return rc;
}

/* Where somebody looks at it, it is asked again and again for those that are left. */
static int join_watched(struct cli *c, json_t *ids, double timeout, json_t *ready, json_t *pending,
                        struct fail *f)
{
        int64_t until = clock_mono_us() + (int64_t)(timeout * CLOCK_US_PER_S);
        CLEANUP(json_putp) json_t *left = json_incref(ids);
        double most = timeout;

        do {
                CLEANUP(json_putp) json_t *asked = left;
                bool last = most >= 0 && most <= LOOK_S;

                left = json_array();
                if (join_once(c, asked, false, last ? most : LOOK_S, ready, left, f) < 0)
                        return -1;
                progress_set(json_array_size(ready));
                if (timeout >= 0)
                        most = (double)(until - clock_mono_us()) / CLOCK_US_PER_S;
                if (last)
                        break;
        } while (json_array_size(left));
        json_array_extend(pending, left);
        return 0;
}

/* Up to JOIN_MAX. */
static int join_some(struct cli *c, json_t *ids, double timeout, json_t *ready, json_t *pending,
                     struct fail *f)
{
        return progress_is_on() ? join_watched(c, ids, timeout, ready, pending, f)
                                : join_once(c, ids, false, timeout, ready, pending, f);
}

static int join_all(struct cli *c, const json_t *all, double timeout, json_t *ready, json_t *pending,
                    struct fail *f)
{
        int64_t until = clock_mono_us() + (int64_t)(timeout * CLOCK_US_PER_S);

        for (size_t from = 0; from < json_array_size(all); from += JOIN_MAX) {
                CLEANUP(json_putp) json_t *ids = ids_of(all, from, JOIN_MAX);
                double left = (double)(until - clock_mono_us()) / CLOCK_US_PER_S;

                if (join_some(c, ids, timeout < 0 ? -1 : left > 0 ? left : 0, ready, pending, f) < 0)
                        return -1;
        }
        return 0;
}

/* In the order of @all, in which they were named. */
static json_t *ordered(const json_t *all, const json_t *ready)
{
        CLEANUP(json_putp) json_t *by_id = json_object();
        json_t *some = json_array();
        char id[24];

        for (size_t i = 0; i < json_array_size(ready); i++) {
                snprintf(id, sizeof(id), "%" PRId64, json_number(json_array_get(ready, i), "id"));
                json_object_set(by_id, id, json_array_get(ready, i));
        }
        for (size_t i = 0; i < json_array_size(all); i++) {
                snprintf(id, sizeof(id), "%" PRId64, json_number(json_array_get(all, i), "id"));
                json_array_append(some, json_object_get(by_id, id));
        }
        return some;
}

/* The code of the first, in the order in which they were named, that did not end with 0. */
static int status_of(const json_t *ready)
{
        for (size_t i = 0; i < json_array_size(ready); i++)
                if (wait_status(json_array_get(ready, i)))
                        return wait_status(json_array_get(ready, i));
        return 0;
}

static void tell_ends(const json_t *ready)
{
        for (size_t i = 0; i < json_array_size(ready); i++)
                if (wait_status(json_array_get(ready, i)) || isatty(STDERR_FILENO))
                        wait_tell(json_array_get(ready, i));
}

static int refuse_pending(const json_t *pending, struct fail *f)
{
        size_t n = json_array_size(pending);

        fail_set(f, ERR_TIMEOUT, 0, "%zu process%s still running, the first of them %" JSON_INTEGER_FORMAT, n,
                 n == 1 ? " is" : "es are", json_integer_value(json_array_get(pending, 0)));
        f->status = EXIT_TIMED_OUT;
        return fail_hint(f, "join again, for longer or without --timeout; or creche terminate");
}

static bool wants_list(const struct args *a)
{
        return args_has(a, "output") || args_has(a, "columns") || args_has(a, "quiet");
}

int cmd_join(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        CLEANUP(json_putp) json_t *ended = json_array();
        CLEANUP(json_putp) json_t *ready = NULL;
        CLEANUP(json_putp) json_t *pending = json_array();
        double timeout = -1;
        int rc;

        if (view_check(a, &view_processes, f) < 0 || args_seconds(a, "timeout", &timeout, f) < 0 ||
            select_all(c, a, &all, f) < 0)
                return -1;
        progress_begin(a, a->command->past, json_array_size(all));
        rc = join_all(c, all, timeout, ended, pending, f);
        progress_end();
        if (rc < 0)
                return -1;
        ready = ordered(all, ended);
        if (wants_list(a) && view_list(c, a, &view_processes, ready, f) < 0)
                return -1;
        if (!view_wants_json(a))
                tell_ends(ready);
        return json_array_size(pending) ? refuse_pending(pending, f) : status_of(ready);
}

static int print_ready(struct cli *c, const struct args *a, json_t *ready, struct fail *f)
{
        if (wants_list(a))
                return view_list(c, a, &view_processes, ready, f);
        for (size_t i = 0; i < json_array_size(ready); i++)
                if (output_line(f, "%" PRId64, json_number(json_array_get(ready, i), "id")) < 0)
                        return -1;
        return 0;
}

int cmd_wait_any(struct cli *c, const struct args *a, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        CLEANUP(json_putp) json_t *ids = NULL;
        CLEANUP(json_putp) json_t *ready = json_array();
        CLEANUP(json_putp) json_t *pending = json_array();
        double timeout = -1;

        if (view_check(a, &view_processes, f) < 0 || args_seconds(a, "timeout", &timeout, f) < 0 ||
            select_all(c, a, &all, f) < 0)
                return -1;
        if (json_array_size(all) > JOIN_MAX) {
                fail_usage(f, "%zu processes are too many to wait for any of them", json_array_size(all));
                return fail_hint(f, "name at most %d", JOIN_MAX);
        }
        ids = ids_of(all, 0, JOIN_MAX);
        if (join_once(c, ids, true, timeout, ready, pending, f) < 0)
                return -1;
        if (!json_array_size(ready))
                return refuse_pending(pending, f);
        return print_ready(c, a, ready, f) < 0 ? -1 : wait_status(json_array_get(ready, 0));
}
