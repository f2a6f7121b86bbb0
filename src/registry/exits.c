/* SPDX-License-Identifier: MIT */
/* The one terminal transition. Order is everything here: seen, recorded, told, reaped. A zombie that is not
 * recorded is not reaped, so that whoever comes after us finds it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/internal.h"

bool exit_seen(struct child *c)
{
        struct registry *r = c->registry;

        if (c->exit_seen)
                return false;
        c->exit_seen = true;
        settle_seen(r, c);
        /* After it was counted: see is_settled() in waiters.c. */
        reaper_unwatch(c);
        timers_unset(&r->timers, &c->timer);
        return true;
}

/* Under the lock: whoever waits to join it by now has. */
static int64_t joined_at(const struct child *c)
{
        list_for_each (node, &c->waiters)
                if (container_of(node, struct waiter, link)->joins)
                        return c->end->stopped_us;
        return 0;
}

static int ended_run(struct store_job *job, struct db *db, struct err *e)
{
        struct child *c = container_of(job, struct child, ended);
        int rc;

        pthread_mutex_lock(&c->registry->lock);
        c->end->joined_us = joined_at(c);
        pthread_mutex_unlock(&c->registry->lock);

        rc = record_ended(db, c->end, e);
        c->ended_before = rc > 0; /* recorded before us, by the last daemon */
        return rc < 0 ? -1 : 0;
}

static void on_retry(struct timer *timer, void *done)
{
        struct child *c = container_of(timer, struct child, timer);

        (void)done;
        c->registry->seek_orphans = true;
        store_submit(c->registry->store, &c->ended);
}

/* The zombie stays, and so does the truth: try again until there is room for it. */
static void try_later(struct child *c, const struct err *e)
{
        struct registry *r = c->registry;
        bool first;

        pthread_mutex_lock(&r->lock);
        first = !c->unwritten;
        c->unwritten = true;
        r->unwritten += first;
        c->timer.fire = on_retry;
        registry_set_timer(r, &c->timer, clock_mono_us() + RETRY_US);
        pthread_mutex_unlock(&r->lock);
        if (first)
                log_error("process.exit_not_recorded", "id=%" PRId64 " pid=%d error=%s", c->rec.id,
                          c->rec.pid, log_quote(e->msg));
}

/* Under the lock. The death of a parent does nothing to its children but to those that asked for it. */
static void tell_children(struct registry *r, const struct child *parent)
{
        if (!r->on_parent_death_n)
                return;
        list_for_each (node, &r->all) {
                struct child *c = container_of(node, struct child, all);

                if (c->rec.parent == parent->rec.id && c->rec.on_parent_death && c->pidfd >= 0 &&
                    !c->exit_seen)
                        child_signal(c, c->rec.on_parent_death);
        }
}

void child_notice_orphaned(struct child *c)
{
        if (c->rec.on_parent_death && c->rec.parent && !table_find(c->registry, c->rec.parent) &&
            !c->exit_seen)
                child_signal(c, c->rec.on_parent_death);
}

void table_left(struct registry *r)
{
        if (__atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE))
                eventfd_write(r->ended_fd, 1);
}

static void publish(struct child *c)
{
        struct process *p = &c->rec;
        const struct process *end = c->end;

        p->state = end->state;
        p->exit = end->exit;
        p->stopped_us = end->stopped_us;
        p->joined_us = end->joined_us;
        p->usage = end->usage;
        p->has_usage = end->has_usage;
        memcpy(p->log_bytes, end->log_bytes, sizeof(p->log_bytes));
        free(TAKE_PTR(c->end));
}

static void log_end(const struct process *p)
{
        switch (p->exit.reason) {
        case EXIT_EXITED:
        case EXIT_SIGNALED:
                log_debug("process.stopped", "id=%" PRId64 " pid=%d exitcode=%d", p->id, p->pid,
                          p->exit.exitcode);
                break;
        case EXIT_EXEC_FAILED:
        case EXIT_START_FAILED:
                log_info("process.failed", "id=%" PRId64 " stage=%s errno=%s", p->id,
                         p->exit.stage ? p->exit.stage : "",
                         p->exit.errnum ? err_errno_name(p->exit.errnum) : "");
                break;
        case EXIT_NONE:
        case EXIT_LOST:
        case EXIT_REASON_COUNT:
                log_warn("process.lost", "id=%" PRId64 " pid=%d reason=%s", p->id, p->pid,
                         log_quote(p->exit.detail));
        }
}

static void count_end(struct registry_stats *s, const struct process *p)
{
        counter_add(&s->ends[p->exit.reason], 1);
        for (int i = 0; i < STREAM_COUNT; i++)
                counter_add(&s->output[i], (uint64_t)p->log_bytes[i]);
}

static void ended_done(struct store_job *job, const struct err *e)
{
        struct child *c = container_of(job, struct child, ended);
        struct registry *r = c->registry;
        struct list done = LIST_INIT(done);
        bool wake;

        if (e) {
                try_later(c, e);
                return;
        }
        KILLPOINT("exit.recorded");
        pthread_mutex_lock(&r->lock);
        publish(c);
        r->unwritten -= c->unwritten;
        log_end(&c->rec);
        count_end(&r->stats, &c->rec);
        if (c->rec.on_parent_death && c->in_table)
                r->on_parent_death_n--;
        waiters_ended(c, &done);
        settle_recorded(r, c, &done);
        tell_children(r, c);
        /* The reference of this job goes over to the list. */
        wake = list_empty(&r->reap);
        list_append(&r->reap, &c->reap);
        table_remove(r, c);
        pthread_mutex_unlock(&r->lock);

        KILLPOINT("exit.published");
        tickets_finish(&done);
        KILLPOINT("exit.told");
        if (wake)
                reaper_wake(r);
        table_left(r);
}

/* Under the lock. Whom nobody waits for may be waited for very soon, as who starts a process and joins it does: his join
 * then has a part in the commit of the end, and none of its own. */
static bool is_awaited(const struct child *c)
{
        return !list_empty(&c->waiters) || settle_is_awaited(c->registry) ||
               __atomic_load_n(&c->registry->stopping, __ATOMIC_ACQUIRE);
}

void exit_hurry(struct child *c)
{
        if (c->end)
                store_hurry(c->registry->store);
}

/* Without the lock. The reference of the job is released in exits_reap(). */
static void record(struct child *c, struct process *end)
{
        struct registry *r = c->registry;

        KILLPOINT("exit.seen");
        end->stopped_us = clock_after_us(end->started_us ? end->started_us : end->created_us);
        if (end->out == OUTPUT_LOG)
                end->log_bytes[STREAM_STDOUT] = logs_size(r->config.logs, c->rec.id, STREAM_STDOUT);
        if (end->err == OUTPUT_LOG)
                end->log_bytes[STREAM_STDERR] = logs_size(r->config.logs, c->rec.id, STREAM_STDERR);
        child_ref(c);
        pthread_mutex_lock(&r->lock);
        end->requested_by = c->rec.requested_by;
        c->end = end;
        c->ended = (struct store_job){.run = ended_run, .done = ended_done, .patient = !is_awaited(c)};
        store_submit(r->store, &c->ended); /* under the lock: see exit_hurry() */
        pthread_mutex_unlock(&r->lock);
}

/* A copy of the record to write the end into. */
static struct process *new_end(struct child *c)
{
        struct process *end = malloc(sizeof(*end));

        if (!end) {
                /* The zombie is the journal: the daemon that comes after us reads it. */
                log_error("out_of_memory", "id=%" PRId64, c->rec.id);
                abort();
        }
        pthread_mutex_lock(&c->registry->lock);
        *end = c->rec;
        pthread_mutex_unlock(&c->registry->lock);
        return end;
}

/* Whether it was killed for want of memory: 1, 0; -1: nobody can tell, as when we have asked for the same. */
static int killed_for_memory(const struct child *c, const struct process *end, int code, int status)
{
        int killed = leaves_oom(c->registry->leaves, c->rec.id);

        if (killed != 1)
                return killed;
        if (code == CLD_EXITED || status != SIGKILL)
                return 0;
        return end->requested_by ? -1 : 1;
}

static int64_t us_of(struct timeval tv)
{
        return (int64_t)tv.tv_sec * CLOCK_US_PER_S + tv.tv_usec;
}

static struct usage usage_of(const struct rusage *ru)
{
        return (struct usage){.user_us = us_of(ru->ru_utime),
                              .system_us = us_of(ru->ru_stime),
                              .maxrss_bytes = (int64_t)ru->ru_maxrss * 1024,
                              .minflt = ru->ru_minflt,
                              .majflt = ru->ru_majflt,
                              .inblock = ru->ru_inblock,
                              .oublock = ru->ru_oublock,
                              .nvcsw = ru->ru_nvcsw,
                              .nivcsw = ru->ru_nivcsw};
}

void exit_from_wait(struct child *c, int code, int status, const struct rusage *ru)
{
        struct process *end = new_end(c);
        bool exited = code == CLD_EXITED;

        end->state = PROCESS_STOPPED;
        end->exit = (struct process_exit){
                .reason = exited ? EXIT_EXITED : EXIT_SIGNALED,
                .exitcode = exited ? status : -status,
                .core_dumped = code == CLD_DUMPED,
                .oom = killed_for_memory(c, end, code, status),
        };
        if (ru)
                end->usage = usage_of(ru);
        end->has_usage = ru != NULL;
        record(c, end);
}

void exit_from_status(struct child *c, int status)
{
        if (WIFEXITED(status))
                exit_from_wait(c, CLD_EXITED, WEXITSTATUS(status), NULL);
        else
                exit_from_wait(c, WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED, WTERMSIG(status), NULL);
}

void exit_failed(struct child *c, enum bootstrap_stage stage, int errnum)
{
        const char *name = bootstrap_stage_name(stage);
        struct process *end = new_end(c);

        end->state = PROCESS_FAILED;
        /* What never ran a program was never the process that was asked for, and has no pid. */
        end->pid = 0;
        end->start_ticks = 0;
        end->exit = (struct process_exit){
                .reason = stage == STAGE_EXEC ? EXIT_EXEC_FAILED : EXIT_START_FAILED,
                .oom = -1,
                .errnum = errnum,
                .stage = name ? strdup(name) : NULL,
                .detail = stage != STAGE_NONE ? NULL
                          : c->pidfd < 0      ? strdup("the daemon was killed before it had run anything")
                                              : strdup("it was killed before it had become its program"),
        };
        record(c, end);
}

void exit_never_was(struct child *c, const struct err *why)
{
        struct process *end = new_end(c);

        end->state = PROCESS_FAILED;
        end->exit = (struct process_exit){
                .reason = EXIT_START_FAILED, .oom = -1, .errnum = why->errnum, .detail = strdup(why->msg)};
        record(c, end);
}

/* It died before it had become its program? The kernel remembers, of a zombie too. */
static bool never_ran(const struct child *c)
{
        struct procfs_stat st;

        return c->unexeced && procfs_stat_patiently(c->rec.pid, &st) == 0 && st.never_execed;
}

void exit_from_parent(struct child *c, int code, int status, const struct rusage *ru)
{
        if (never_ran(c))
                exit_failed(c, (enum bootstrap_stage)c->unexeced->stage, c->unexeced->errnum);
        else
                exit_from_wait(c, code, status, ru);
}

void exit_lost(struct child *c, const char *why)
{
        struct process *end = new_end(c);

        end->state = PROCESS_LOST;
        end->exit = (struct process_exit){.reason = EXIT_LOST, .oom = -1, .detail = strdup(why)};
        record(c, end);
}

static void reap(struct registry *r, struct child *c)
{
        struct journal_slot *slot;
        siginfo_t si;

        KILLPOINT("exit.reap");
        if (c->peer == PEER_SELF && c->pidfd >= 0) {
                sys_waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG, NULL);
        } else if (c->peer == PEER_INIT || c->peer >= PEER_FORKSERVER) {
                pthread_mutex_lock(&r->lock);
                /* move_children() does not know those that have left the table. */
                peer_post(r, peer_lives(r, c->peer) ? c->peer : PEER_INIT, ZOMBIE_REAP, c->rec.pid, 0);
                pthread_mutex_unlock(&r->lock);
        }
        KILLPOINT("exit.reaped");
        if (c->kept_stdin) {
                pthread_mutex_lock(&r->lock);
                peer_post(r, PEER_INIT, ZOMBIE_DROP, 0, c->rec.id);
                pthread_mutex_unlock(&r->lock);
        }
        pthread_mutex_lock(&r->lock);
        slot = TAKE_PTR(c->slot);
        /* A join of many may keep its record for long. */
        closep(&c->pidfd);
        closep(&c->stdin_fd);
        pthread_mutex_unlock(&r->lock);
        if (slot)
                journal_release(r->journal, slot);
        if (c->unexeced)
                journal_release(r->journal, TAKE_PTR(c->unexeced));
        logs_forget(r->config.logs, c->rec.id);
        leaves_ended(r->leaves, c->rec.id, c->rec.exit.exitcode == -SIGKILL);
        child_unref(c);
}

void exits_reap(struct registry *r)
{
        struct list todo = LIST_INIT(todo), *node;

        pthread_mutex_lock(&r->lock);
        list_splice(&todo, &r->reap);
        pthread_mutex_unlock(&r->lock);
        while ((node = list_pop(&todo)))
                reap(r, container_of(node, struct child, reap));
}
