/* SPDX-License-Identifier: MIT */
/* The daemon, and what it has on the disk. */
#include "cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "cli/json.h"

enum { BUSY_MS = 2000, STEPS = 10000, CHECK_S = 10 };

/* Below the one nothing new is started, near the other it soon will not be. */
#define ROOM_NEEDED (INT64_C(10) << 20)
#define ROOM_WANTED (INT64_C(256) << 20)
#define MIB         (1 << 20)

/* -------------------------------------------------------------------------------------- who answers */

static const char *user_name(uid_t uid)
{
        const struct passwd *pw = getpwuid(uid);
        static char number[16];

        snprintf(number, sizeof(number), "%u", (unsigned)uid);
        return pw ? pw->pw_name : number;
}

/* Who has called listen(): creche-init, or what has given it the socket. */
static bool listener(const char *path, struct ucred *who)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        socklen_t size = sizeof(*who);

        if (strlen(path) >= sizeof(a.sun_path))
                return false;
        strcpy(a.sun_path, path);
        return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
               getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) == 0;
}

static void found_answer(struct doctor *d)
{
        const struct connection *where = &d->c->client.where;
        struct ucred who;

        if (where->url)
                doctor_found(d, FINDING_OK, "address", "%s answers", where->url);
        else if (listener(where->socket, &who))
                doctor_found(d, FINDING_OK, "socket", "%s: pid %d of %s listens, and answers", where->socket,
                             (int)who.pid, user_name(who.uid));
        else
                doctor_found(d, FINDING_OK, "socket", "%s answers", where->socket);
}

static void check_version(struct doctor *d)
{
        const char *theirs = json_text(d->info, "version") ?: "";

        if (!strcmp(theirs, CRECHE_VERSION)) {
                doctor_found(d, FINDING_OK, "version", "creched and creche are both %s", theirs);
                return;
        }
        doctor_found(d, FINDING_WARNING, "version", "creched is %s, creche is %s", theirs, CRECHE_VERSION);
        doctor_fix(d, "where the creched that is installed is %s: creche upgrade; else install that",
                   CRECHE_VERSION);
}

static void check_health(struct doctor *d)
{
        const json_t *reasons = json_object_get(d->info, "health_reasons");
        size_t n = json_array_size(reasons);

        for (size_t i = 0; i < n; i++) {
                doctor_found(d, FINDING_WARNING, "health", "%s",
                             json_string_value(json_array_get(reasons, i)) ?: "");
                doctor_fix(d, "see the daemon's log; 'creche help serve' says where it is");
        }
        if (!n)
                doctor_found(d, FINDING_OK, "health", "%s, up since %s, started again %" PRId64 " times",
                             json_text(d->info, "health") ?: "", json_text(d->info, "started_at") ?: "",
                             json_number(d->info, "restarts"));
}

static void check_privileges(struct doctor *d)
{
        const json_t *privileges = json_object_get(d->info, "privileges");

        if (json_text(privileges, "warning")) {
                doctor_found(d, FINDING_WARNING, "rights", "%s", json_text(privileges, "warning"));
                doctor_fix(d, "useradd --system --home-dir " PATHS_SYSTEM_STATE
                              " --shell /usr/sbin/nologin creche, and serve with --user creche");
        } else {
                doctor_found(d, FINDING_OK, "rights", "creched runs as %s",
                             json_text(privileges, "user") ?: "?");
        }
}

static void find_state(struct doctor *d)
{
        const char *given = getenv("CRECHE_STATE_DIR");

        if (d->c->client.where.url)
                return;
        if (d->info)
                snprintf(d->state, sizeof(d->state), "%s", json_text(d->info, "state_dir") ?: "");
        else if (given && *given)
                snprintf(d->state, sizeof(d->state), "%s", given);
        else
                paths_state(d->state);
}

void doctor_daemon(struct doctor *d)
{
        const char *check = d->c->client.where.url ? "address" : "socket";
        struct fail f = {0};

        if (client_get(&d->c->client, &d->info, &f, "/v1/info") < 0) {
                doctor_found(d, FINDING_FAILURE, check, "%s", f.err.msg);
                doctor_fix(d, "%s", f.hint);
        } else {
                d->pid = d->c->client.where.url ? 0 : (pid_t)json_number(d->info, "pid");
                found_answer(d);
                check_version(d);
                check_health(d);
                check_privileges(d);
        }
        find_state(d);
}

/* ------------------------------------------------------------------------------------- who gets at it */

/* @path, which nobody but its owner may have any of the rights of @others in. */
static void check_access(struct doctor *d, const char *check, const char *path, mode_t others,
                         const char *right)
{
        struct stat st;

        if (lstat(path, &st) < 0) {
                bool hidden = errno == EACCES;

                doctor_found(d, FINDING_FAILURE, check, "%s: %s", path, strerrordesc_np(errno));
                doctor_fix(d,
                           hidden ? "ask as its owner: sudo creche doctor" : "creche stop; creche serve -d");
        } else if (st.st_mode & others) {
                doctor_found(d, FINDING_FAILURE, check, "%s is open to others: mode %04o", path,
                             (unsigned)st.st_mode & 07777);
                doctor_fix(d, "chmod %s %s", right, path);
        } else {
                doctor_found(d, FINDING_OK, check, "%s is %s's alone", path, user_name(st.st_uid));
        }
}

static void check_accesses(struct doctor *d)
{
        const char *socket = d->c->client.where.socket;
        char token[PATH_MAX + 8];
        struct stat st;

        check_access(d, "state", d->state, 077, "700");
        snprintf(token, sizeof(token), "%s/token", d->state);
        if (lstat(token, &st) == 0 || d->info)
                check_access(d, "token", token, 077, "600");
        if (lstat(socket, &st) == 0)
                check_access(d, "access", socket, 077, "600");
}

/* --------------------------------------------------------------------------------------- the database */

static int time_is_over(void *until_us)
{
        return clock_mono_us() > *(int64_t *)until_us;
}

/* The first thing that is wrong with it; "ok"; NULL: it could not be told, sqlite3_errmsg() says why. */
static char *quick_check(sqlite3 *db)
{
        sqlite3_stmt *s = NULL;
        char *verdict = NULL;

        if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
            sqlite3_step(s) == SQLITE_ROW)
                verdict = strdup((const char *)sqlite3_column_text(s, 0) ?: "");
        sqlite3_finalize(s);
        return verdict;
}

static void found_damage(struct doctor *d, const char *path, const char *what)
{
        doctor_found(d, FINDING_FAILURE, "database", "%s: %s", path, what);
        doctor_fix(d, "creche stop; put a backup in its place, or save what can be read: sqlite3 %s .recover",
                   path);
}

/* A reader keeps the log from being taken in: so there is an end to it. */
static void check_database(struct doctor *d, const char *path)
{
        int64_t until_us = clock_mono_us() + CHECK_S * CLOCK_US_PER_S;
        CLEANUP(freep) char *verdict = NULL;
        sqlite3 *db = NULL;
        int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

        if (rc == SQLITE_OK) {
                sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
                sqlite3_busy_timeout(db, BUSY_MS);
                sqlite3_progress_handler(db, STEPS, time_is_over, &until_us);
                verdict = quick_check(db);
        }
        if (verdict && !strcmp(verdict, "ok")) {
                doctor_found(d, FINDING_OK, "database", "%s is whole (PRAGMA quick_check)", path);
        } else if (verdict) {
                found_damage(d, path, verdict);
        } else if (sqlite3_errcode(db) == SQLITE_INTERRUPT) {
                doctor_found(d, FINDING_WARNING, "database", "%s is too large to be checked in %d s", path,
                             CHECK_S);
                doctor_fix(d, "creche backup copy.db && sqlite3 copy.db 'PRAGMA quick_check'");
        } else if (sqlite3_errcode(db) == SQLITE_CANTOPEN) {
                doctor_found(d, FINDING_FAILURE, "database", "%s cannot be opened", path);
                doctor_fix(d, "ask as its owner: sudo creche doctor");
        } else {
                found_damage(d, path, sqlite3_errmsg(db));
        }
        sqlite3_close(db);
}

/* ---------------------------------------------------------------------------------------------- room */

static void check_room(struct doctor *d)
{
        struct statvfs v;
        int64_t room;

        if (statvfs(d->state, &v) < 0)
                return;
        room = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
        if (room >= ROOM_WANTED) {
                doctor_found(d, FINDING_OK, "disk", "%" PRId64 " MiB are free in %s", room / MIB, d->state);
                return;
        }
        doctor_found(d, room < ROOM_NEEDED ? FINDING_FAILURE : FINDING_WARNING, "disk",
                     "only %" PRId64 " MiB are free in %s", room / MIB, d->state);
        doctor_fix(d, "make room; creche rm $(creche ps -q --state stopped,failed,lost) forgets all that has "
                      "ended, and its output");
        if (v.f_favail == 0 && v.f_files)
                doctor_found(d, FINDING_FAILURE, "disk", "no inode is free in %s", d->state);
}

/* The daemon takes it when it begins and gives it back when the disk is full. */
static void check_ballast(struct doctor *d)
{
        char path[PATH_MAX + 16];
        struct stat st;

        snprintf(path, sizeof(path), "%s/ballast", d->state);
        if (!d->info)
                return;
        if (lstat(path, &st) == 0 && st.st_size > 0) {
                doctor_found(d, FINDING_OK, "ballast", "%" PRId64 " MiB are kept for a full disk",
                             (int64_t)st.st_size / MIB);
                return;
        }
        doctor_found(d, FINDING_WARNING, "ballast",
                     "the room for a full disk is not there: the disk was full, or is");
        doctor_fix(d, "make room in %s: it is taken again by itself", d->state);
}

void doctor_state(struct doctor *d)
{
        char path[PATH_MAX + 16];
        struct stat st;

        if (!d->info && lstat(d->state, &st) < 0 && errno == ENOENT) {
                doctor_found(d, FINDING_OK, "state", "%s is not there yet: creched makes it", d->state);
                return;
        }
        check_accesses(d);
        snprintf(path, sizeof(path), "%s/registry.db", d->state);
        if (d->info || access(path, F_OK) == 0)
                check_database(d, path);
        check_room(d);
        check_ballast(d);
}
