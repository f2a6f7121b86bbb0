/* SPDX-License-Identifier: MIT */
/* The machine: what the kernel has, how much of it may be used, and whether its clock can be believed. */
#include "cli/doctor.h"

#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "cli/json.h"

enum { FILES_WANTED = 4096, TASKS_SPARE = 1000 };

/* Creche is of 2026: a clock that says less is not set. */
#define EARLIEST_S INT64_C(1767225600)

static void fclosep(FILE **file)
{
        if (*file)
                fclose(*file);
}

/* The first number in @path; -1: there is none, "max" included. */
static int64_t read_number(const char *path)
{
        CLEANUP(fclosep) FILE *file = fopen(path, "re");
        int64_t v;

        return file && fscanf(file, "%" SCNd64, &v) == 1 ? v : -1;
}

static void check_calls(struct doctor *d)
{
        struct strbuf has = {0}, lacks = {0};
        const char *name;
        bool works;

        for (size_t i = 0; (name = kernel_call(i, &works)); i++)
                strbuf_printf(works ? &has : &lacks, "%s%s", (works ? has : lacks).len ? ", " : "", name);
        if (lacks.len) {
                doctor_found(d, FINDING_FAILURE, "kernel", "it does not let us use %s", strbuf_text(&lacks));
                doctor_fix(d, "Linux 5.9 or newer is needed, and no seccomp filter of an old container "
                              "runtime: upgrade that");
        } else {
                doctor_found(d, FINDING_OK, "kernel", "it has %s", strbuf_text(&has));
        }
        strbuf_done(&has);
        strbuf_done(&lacks);
}

/* Where the hierarchy of @type is mounted, with the controller @option (NULL: any) in it. */
static bool hierarchy(const char *type, const char *option, char dir[PATH_MAX])
{
        FILE *mounts = setmntent("/proc/self/mounts", "re");
        struct mntent *m;
        bool found = false;

        while (mounts && !found && (m = getmntent(mounts))) {
                found = !strcmp(m->mnt_type, type) && (!option || hasmntopt(m, option));
                if (found)
                        snprintf(dir, PATH_MAX, "%s", m->mnt_dir);
        }
        if (mounts)
                endmntent(mounts);
        return found;
}

/* What the daemon has got, not what there could be, where it tells. */
static void check_groups(struct doctor *d)
{
        const char *tree = json_text(json_object_get(d->info, "features"), "tree");
        char dir[PATH_MAX];
        bool mounted = hierarchy("cgroup2", NULL, dir);

        if (tree && !strcmp(tree, "control_group")) {
                doctor_found(d, FINDING_OK, "cgroup", "each process has a control group of its own");
        } else if (!tree && mounted) {
                doctor_found(d, FINDING_OK, "cgroup", "version 2 is mounted at %s", dir);
        } else if (mounted) {
                doctor_found(d, FINDING_WARNING, "cgroup",
                             "the daemon may make no control groups: --tree reaches process groups only");
                doctor_fix(d, "under systemd: Delegate=yes with DelegateSubgroup=; elsewhere start it in a "
                              "group that its user may write to");
        } else {
                doctor_found(d, FINDING_WARNING, "cgroup",
                             "version 2 is not mounted: --tree reaches process groups only");
                doctor_fix(d, "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none "
                              "/sys/fs/cgroup/unified; then start the daemon anew");
        }
}

static void check_files(struct doctor *d)
{
        struct rlimit limit;
        bool its = d->pid && prlimit(d->pid, RLIMIT_NOFILE, NULL, &limit) == 0;

        if (!its && getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        /* It raises its own as far as it may. */
        if (limit.rlim_max >= FILES_WANTED) {
                doctor_found(d, FINDING_OK, "nofile", "%s may have %" PRIu64 " files open",
                             its ? "the daemon" : "who is started from here", (uint64_t)limit.rlim_max);
                return;
        }
        doctor_found(d, FINDING_WARNING, "nofile",
                     "only %" PRIu64 " files may be open: each process that runs, and each client, takes one",
                     (uint64_t)limit.rlim_max);
        doctor_fix(d, "ulimit -Hn 65536; creche stop; creche serve -d (systemd: LimitNOFILE=65536)");
}

/* Of processes and threads, of the whole machine: the fourth word is "running/all". */
static int64_t tasks_now(void)
{
        CLEANUP(fclosep) FILE *file = fopen("/proc/loadavg", "re");
        int64_t all;

        return file && fscanf(file, "%*s %*s %*s %*[0-9]/%" SCNd64, &all) == 1 ? all : -1;
}

static void check_pids(struct doctor *d)
{
        int64_t pids = read_number("/proc/sys/kernel/pid_max"),
                threads = read_number("/proc/sys/kernel/threads-max");
        int64_t most = threads >= 0 && threads < pids ? threads : pids, now = tasks_now();

        if (pids < 0 || now < 0) {
                doctor_found(d, FINDING_WARNING, "pids", "/proc does not tell how many there may be");
                doctor_fix(d, "mount -t proc proc /proc");
        } else if (most - now < TASKS_SPARE) {
                doctor_found(d, FINDING_WARNING, "pids",
                             "there are %" PRId64 " processes and threads, and at most %" PRId64, now, most);
                doctor_fix(d, "sysctl -w kernel.pid_max=4194304 kernel.threads-max=%" PRId64, 2 * most);
        } else {
                doctor_found(d, FINDING_OK, "pids",
                             "there may be %" PRId64 " processes and threads, there are %" PRId64, most, now);
        }
}

/* The directory of the group that counts the tasks of @pid, of either version, into @path, and how much of it is the
 * mount into @root; false: there is none. */
static bool group_of(pid_t pid, char path[PATH_MAX], size_t *root)
{
        CLEANUP(fclosep) FILE *file = NULL;
        char name[32], line[PATH_MAX], *controllers, *group;
        bool found = false;

        snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
        file = fopen(name, "re");
        while (file && !found && fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\n")] = '\0';
                controllers = strchr(line, ':');
                group = controllers ? strchr(controllers + 1, ':') : NULL;
                if (!group)
                        continue;
                *group++ = '\0';
                found = controllers[1] ? !strcmp(controllers, ":pids") && hierarchy("cgroup", "pids", path)
                                       : hierarchy("cgroup2", NULL, path);
                *root = strlen(path);
                if (found && *root + strlen(group) < PATH_MAX - 16)
                        strcat(path, group);
        }
        return found;
}

/* The group, at @path or above, that has the least room for more; -1: none has a limit. */
static int64_t least_room(char path[PATH_MAX], size_t root, char tightest[PATH_MAX])
{
        int64_t least = -1;

        while (strlen(path) > root) {
                char name[PATH_MAX + 16];
                int64_t max, now;

                snprintf(name, sizeof(name), "%s/pids.max", path);
                max = read_number(name);
                snprintf(name, sizeof(name), "%s/pids.current", path);
                now = read_number(name);
                if (max >= 0 && now >= 0 && (least < 0 || max - now < least)) {
                        least = max - now;
                        strcpy(tightest, path);
                }
                *strrchr(path, '/') = '\0';
        }
        return least;
}

static void check_group_pids(struct doctor *d)
{
        char path[PATH_MAX] = "", tightest[PATH_MAX];
        size_t root = 0;
        int64_t room = group_of(d->pid ?: getpid(), path, &root) ? least_room(path, root, tightest) : -1;

        if (room < 0) {
                doctor_found(d, FINDING_OK, "cgroup pids", "no control group sets a limit");
        } else if (room < TASKS_SPARE) {
                doctor_found(d, FINDING_WARNING, "cgroup pids",
                             "there is room for %" PRId64 " more processes and threads in %s", room,
                             tightest);
                doctor_fix(d, "echo max >%s/pids.max (systemd: TasksMax=infinity)", tightest);
        } else {
                doctor_found(d, FINDING_OK, "cgroup pids", "there is room for %" PRId64 " more in %s", room,
                             tightest);
        }
}

static void check_clock(struct doctor *d)
{
        struct timex t = {0};
        int state = adjtimex(&t);

        if (time(NULL) < EARLIEST_S) {
                doctor_found(d, FINDING_FAILURE, "clock", "it is not set: it says a time before Creche was");
                doctor_fix(d, "timedatectl set-ntp true, or date -s");
        } else if (state < 0) {
                doctor_found(d, FINDING_OK, "clock",
                             "it is set; the kernel does not tell us whether it is synchronised");
        } else if (state == TIME_ERROR && t.status & STA_UNSYNC) {
                doctor_found(d, FINDING_WARNING, "clock",
                             "nobody keeps it right: times in the history may be off");
                doctor_fix(d, "timedatectl set-ntp true, or install chrony");
        } else {
                doctor_found(d, FINDING_OK, "clock", "it is synchronised");
        }
}

/* Of a daemon elsewhere it is the other machine that matters. */
void doctor_machine(struct doctor *d)
{
        if (d->c->client.where.url) {
                doctor_found(d, FINDING_OK, "machine",
                             "not looked at, as the daemon was asked by TCP: 'creche doctor' there does");
                return;
        }
        check_calls(d);
        check_groups(d);
        check_files(d);
        check_pids(d);
        check_group_pids(d);
        check_clock(d);
}
