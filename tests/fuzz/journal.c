/* SPDX-License-Identifier: MIT */
/* tests/fuzz/journal.c: a daemon begins, and the spawn journal and the database that it finds are anybody's.
 *
 * Input: a byte: how many rows (1 to 4); for each 4 bytes: flags, pid, start time, which process the slot names; then
 * slots of 24 bytes as they stand, which begin at the number that the next 2 bytes say. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "registry/internal.h"
#include "base/procfs.h"
#include "base/sys.h"

enum { SELF = 50, INIT = 51, STRANGER = 52, FIRST = 53, PROCESSES = 8, ROWS_MAX = 4 };

static int fuzz_stat(pid_t pid, struct procfs_stat *st);
static int fuzz_hold(pid_t pid);
static void fuzz_end(struct child *c, bool ran);
static void fuzz_submit(struct store_job *job);

#define getpid()                                SELF
#define procfs_stat(pid, st)                    fuzz_stat(pid, st)
#define procfs_is_named(pid, name)              ((void)(name), (pid) == STRANGER)
#define sys_pidfd_open(pid, flags)              fuzz_hold(pid)
#define sys_pidfd_send_signal(fd, signo, flags) ((void)(fd), 0)
#define nanosleep(nap, rest)                    ((void)(nap))
#define exit_seen(child)                        ((child)->exit_seen = true)
#define exit_lost(child, why)                   ((void)(why), fuzz_end(child, true))
#define exit_failed(child, stage, no)           fuzz_end(child, false)
#define store_submit(store, job)                ((void)(store), fuzz_submit(job))
#define child_record_start(child)               ((void)(child))
#define child_arm_timeout(child, us)            ((void)(us))
#define logs_watch(logs, id)                    ((void)(id))
#define reaper_watch(child)                     ((void)(child))
#define leaves_sweep(leaves, is, arg)           ((void)is)
#include "registry/recover.c"
#undef procfs_stat
#include "test.h"

static struct registry registry;
static struct recovery recovery;
static struct process rows[ROWS_MAX];
static bool has_key[ROWS_MAX];
static enum { NOTHING, ADOPTED, ENDED, FAILED, UNSTARTED } outcome[ROWS_MAX + 1];

/* Processes 54, 57, ... are ours, 55, ... creche-init's, the others somebody else's. */
static int fuzz_stat(pid_t pid, struct procfs_stat *st)
{
        if (pid < SELF || pid >= FIRST + PROCESSES)
                return 1;
        *st = (struct procfs_stat){.state = pid % 4 ? 'S' : 'Z',
                                   .start_ticks = 7,
                                   .never_execed = pid % 5 == 0,
                                   .ppid = STRANGER};
        if (pid == SELF || pid % 3 == 1)
                st->ppid = INIT;
        else if (pid % 3 == 0)
                st->ppid = SELF;
        return 0;
}

static int fuzz_hold(pid_t pid)
{
        struct procfs_stat st;

        errno = ESRCH;
        return fuzz_stat(pid, &st) ? -1 : dup(STDERR_FILENO);
}

static void fuzz_end(struct child *c, bool ran)
{
        REQUIRE(c->rec.id >= 1 && c->rec.id <= ROWS_MAX && outcome[c->rec.id] == NOTHING);
        outcome[c->rec.id] = ran ? ENDED : FAILED;
        /* An end leaves the table, as it does when it is recorded. */
        pthread_mutex_lock(&registry.lock);
        table_remove(&registry, c);
        pthread_mutex_unlock(&registry.lock);
}

static void fuzz_submit(struct store_job *job)
{
        int64_t id = container_of(job, struct unstarted_op, job)->id;

        REQUIRE(job->run == unstarted_run && id >= 1 && id <= ROWS_MAX && outcome[id] == NOTHING);
        outcome[id] = UNSTARTED;
        job->done(job, NULL);
}

static void remove_folder(void)
{
        test_end(NULL);
}

static void set_up(void)
{
        pthread_mutex_init(&registry.lock, NULL);
        list_init(&registry.all);
        registry.init_pid = INIT;
        test_dir();
        atexit(remove_folder);
}

static struct process row_of(int64_t id, bool started)
{
        return (struct process){.id = id,
                                .name = (char *)(uintptr_t) "p",
                                .lineage = (char *)(uintptr_t) "",
                                .state = started ? PROCESS_STARTED : PROCESS_STARTING,
                                .created_us = 1,
                                .out = OUTPUT_NULL,
                                .err = OUTPUT_NULL};
}

/* Rows, with slots that name any process. */
static void read_rows(struct input *in, int journal, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint8_t flags = input_byte(in), pid = input_byte(in), ticks = input_byte(in),
                        slot_pid = input_byte(in);
                struct journal_slot slot = {.id = (int64_t)i + 1, .pid = slot_pid % 80 - 5};

                rows[i] = row_of((int64_t)i + 1, flags & 1);
                rows[i].pid = pid;
                rows[i].start_ticks = ticks;
                has_key[i] = flags & 2;
                if (flags & 4)
                        REQUIRE(pwrite(journal, &slot, sizeof(slot), (off_t)(i * sizeof(slot))) > 0);
        }
}

static void write_journal(struct input *in, size_t n)
{
        int fd = open(test_path("spawn.journal"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        uint16_t at;

        REQUIRE(fd >= 0);
        read_rows(in, fd, n);
        input_copy(in, &at, sizeof(at));
        if (in->n)
                REQUIRE(pwrite(fd, in->at, in->n, at % JOURNAL_SLOTS * (off_t)sizeof(struct journal_slot)) >
                        0);
        close(fd);
}

/* Whom we may signal from now on. */
static void check_adopted(const struct child *c)
{
        const struct process *row = &rows[c->rec.id - 1];
        struct procfs_stat st;

        REQUIRE(outcome[c->rec.id] == NOTHING);
        outcome[c->rec.id] = ADOPTED;
        REQUIRE(fuzz_stat(c->rec.pid, &st) == 0 && c->pidfd >= 0);
        if (row->state == PROCESS_STARTED)
                REQUIRE(c->rec.pid == row->pid && st.start_ticks == row->start_ticks);
        else
                REQUIRE(c->rec.pid != SELF && (st.ppid == SELF || st.ppid == INIT));
}

/* No process becomes a second row's by what the journal says. */
static void check_pids(void)
{
        list_for_each (a, &registry.all) {
                const struct child *c = container_of(a, struct child, all);

                check_adopted(c);
                list_for_each (b, &registry.all) {
                        const struct child *other = container_of(b, struct child, all);

                        REQUIRE(c == other || c->rec.pid != other->rec.pid ||
                                (rows[c->rec.id - 1].state == PROCESS_STARTED &&
                                 rows[other->rec.id - 1].state == PROCESS_STARTED));
                }
        }
}

/* As store_open_rows() does: what is known first. */
static void recover_rows(size_t n)
{
        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < n; i++)
                        if ((rows[i].state == PROCESS_STARTING) == pass)
                                recover_row(&(struct open_row){.process = &rows[i],
                                                               .same_boot = true,
                                                               .has_key = has_key[i]},
                                            &recovery);
        recover_found(&recovery);
        free(recovery.found);
}

static void forget_children(void)
{
        while (!list_empty(&registry.all))
                table_remove(&registry, container_of(registry.all.next, struct child, all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        size_t n = input_byte(&in) % ROWS_MAX + 1;
        struct err e = {0};

        if (!registry.init_pid)
                set_up();
        memset(outcome, 0, sizeof(outcome));
        write_journal(&in, n);
        REQUIRE(journal_open(test_dir_fd(), "spawn.journal", &registry.journal, &e) == 0);
        recovery = (struct recovery){.registry = &registry};
        recover_rows(n);
        REQUIRE(recovery.err.kind == ERR_NONE);
        check_pids();
        journal_clear(registry.journal);
        for (size_t i = 1; i <= n; i++) {
                REQUIRE(outcome[i] != NOTHING);
                REQUIRE(outcome[i] == ADOPTED || !journal_find(registry.journal, (int64_t)i));
        }
        forget_children();
        journal_close(registry.journal);
        return 0;
}
