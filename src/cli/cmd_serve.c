/* SPDX-License-Identifier: MIT */
/* serve: become creched, or have one in the background. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/help.h"
#include "cli/text.h"

enum { LOOK_MS = 20, LOG_MAX = 65536, CRECHED_USAGE = 2, CRECHED_BUSY = 3 };
#define SLOW_US (5 * CLOCK_US_PER_S)

struct serve {
        char creched[PATH_MAX], log[PATH_MAX];
        char **argv; /* of creched */
        bool detach;
        pid_t pid;
        int log_fd;
        off_t log_began;
        char said[LOG_MAX]; /* by this one */
};

static int find_creched(char path[PATH_MAX], struct fail *f)
{
        ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof("creched"));

        if (n < 0)
                return fail_set(f, ERR_INTERNAL, errno, "finding creched");
        path[n] = '\0';
        strcpy(strrchr(path, '/') + 1, "creched");
        return 0;
}

static int refuse_creched(const struct serve *s, struct fail *f)
{
        fail_set(f, ERR_INTERNAL, errno, "cannot execute %s", s->creched);
        return fail_hint(f, "creched and creche-init must lie beside creche: install all three");
}

/* ------------------------------------------------------------------------------------------ arguments */

/* "--name VALUE" or "--name=VALUE" at argv[i]; *used: the words that takes. */
static const char *value_of(const char *name, char **argv, int *used)
{
        size_t n = strlen(name);

        *used = 1;
        if (strncmp(argv[0], name, n) != 0)
                return NULL;
        if (argv[0][n] == '=')
                return argv[0] + n + 1;
        *used = 2;
        return argv[0][n] ? NULL : argv[1];
}

/* Where creched will have its state is what its log is called after. */
static void name_log(struct serve *s, const char *state)
{
        char dir[PATH_MAX];

        if (*s->log)
                return;
        if (!state && geteuid() == 0) {
                snprintf(s->log, sizeof(s->log), "/var/log/creche.log");
                return;
        }
        if (!state)
                paths_state(dir);
        snprintf(s->log, sizeof(s->log), "%.*s.log", PATH_MAX - 8, state ?: dir);
}

/* NULL: creched takes its default. What is wrong with the settings is for creched to say. */
static const char *state_that_is_set(struct cli *c)
{
        struct err e;

        if (settings_read_files(&c->settings, false, &e) < 0 ||
            settings_read_variables(&c->settings, SECTION_CRECHED, &e) < 0 ||
            settings_origin(&c->settings, SECTION_CRECHED, CRECHED_STATE_DIR) == ORIGIN_DEFAULT)
                return NULL;
        return settings_text(&c->settings, SECTION_CRECHED, CRECHED_STATE_DIR);
}

/* Ours are -d, --log and -h; the rest is creched's. */
static int read_arguments(struct cli *c, struct serve *s, int argc, char **argv, struct fail *f)
{
        const char *state = state_that_is_set(c), *v;
        int n = 1, used;

        s->argv = calloc((size_t)argc + 2, sizeof(*s->argv));
        if (!s->argv)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "starting creched");
        s->argv[0] = s->creched;
        for (int i = 1; i < argc; i += used) {
                used = 1;
                if (!strcmp(argv[i], "-d") || !strcmp(argv[i], "--detach")) {
                        s->detach = true;
                        continue;
                }
                if ((v = value_of("--log", argv + i, &used))) {
                        snprintf(s->log, sizeof(s->log), "%s", v);
                        continue;
                }
                if ((v = value_of("--state-dir", argv + i, &used)))
                        state = v;
                used = 1;
                if (strcmp(argv[i], "--") != 0)
                        s->argv[n++] = argv[i];
        }
        name_log(s, state && *state ? state : NULL);
        return 0;
}

/* ------------------------------------------------------------------------------------- in the background */

static int make_folder(const char *path)
{
        char part[PATH_MAX];

        for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
                snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
                if (mkdir(part, 0700) < 0 && errno != EEXIST)
                        return -1;
        }
        return 0;
}

static int open_log(struct serve *s, struct fail *f)
{
        if (make_folder(s->log) == 0)
                s->log_fd = open(s->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->log_fd < 0) {
                fail_set(f, ERR_INTERNAL, errno, "opening the log %s", s->log);
                return fail_hint(f, "say where it shall be: creche serve -d --log FILE");
        }
        s->log_began = lseek(s->log_fd, 0, SEEK_END);
        return 0;
}

/* In the child: nothing of ours stays with it. */
static void become_creched(const struct serve *s)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        dup2(null, STDIN_FILENO);
        dup2(s->log_fd, STDOUT_FILENO);
        dup2(s->log_fd, STDERR_FILENO);
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        execv(s->creched, s->argv);
        fprintf(stderr, "cannot execute %s: %s\n", s->creched, strerrordesc_np(errno));
        _exit(EXIT_NO_PROGRAM);
}

static void read_log(struct serve *s)
{
        ssize_t n = pread(s->log_fd, s->said, sizeof(s->said) - 1, s->log_began);

        s->said[n > 0 ? n : 0] = '\0';
}

/* The line "READY unix:PATH [URL]", complete; NULL: it has not been said. */
static char *ready_line(struct serve *s)
{
        char *at = !strncmp(s->said, "READY ", 6) ? s->said : strstr(s->said, "\nREADY ");
        char *end;

        if (!at)
                return NULL;
        at += *at == '\n';
        end = strchr(at, '\n');
        if (!end)
                return NULL;
        *end = '\0';
        return at + 6;
}

static int refuse_end(struct serve *s, int status, struct fail *f)
{
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;

        read_log(s);
        fputs(s->said, stderr);
        if (code == CRECHED_BUSY) {
                fail_set(f, ERR_ALREADY_STARTED, 0, "a daemon serves already");
                return fail_hint(
                        f,
                        "'creche info' shows it, 'creche stop' stops it; another one needs a --state-dir and "
                        "a --socket of its own");
        }
        fail_set(f, ERR_INTERNAL, 0, "creched has ended before it was ready, with %s %d",
                 WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? code : WTERMSIG(status));
        fail_hint(f, "what it said stands above, and in %s", s->log);
        f->status = code == CRECHED_USAGE ? EXIT_USAGE : EXIT_FAILED;
        return -1;
}

/* " --socket PATH", when `creche` would look elsewhere for the one that serves on @where. */
static void add_socket(struct cli *c, const char *where, struct strbuf *b)
{
        struct connection found;
        char path[PATH_MAX];
        struct fail ignored;
        struct err e;

        if (strncmp(where, "unix:", 5) != 0)
                return;
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(where + 5, " "), where + 5);
        if (settings_read_variables(&c->settings, SECTION_CRECHE, &e) == 0 &&
            connect_decide(&found, &c->settings, &ignored) == 0 && !found.url && !strcmp(found.socket, path))
                return;
        strbuf_str(b, " --socket ");
        text_quote(b, path);
}

static void tell_ready(struct cli *c, const struct serve *s, const char *where)
{
        struct strbuf b = {0};
        const char *creche;

        strbuf_str(&b, "creche");
        add_socket(c, where, &b);
        creche = strbuf_text(&b);
        talk("creched serves on %s", where);
        talk("its log is %s; '%s stop' stops it", s->log, creche);
        talk("now: %s run --name hello -- sh -c 'echo hi'; %s ps; %s logs hello", creche, creche, creche);
        strbuf_done(&b);
}

/* As long as it lives it may still get there: a large database takes time. */
static int wait_until_ready(struct cli *c, struct serve *s, struct fail *f)
{
        const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000L};
        int64_t slow_at = clock_mono_us() + SLOW_US;
        char *where;
        int status;

        for (;;) {
                bool ended = waitpid(s->pid, &status, WNOHANG) == s->pid;

                read_log(s);
                where = ready_line(s);
                if (ended)
                        return refuse_end(s, status, f);
                if (where) {
                        tell_ready(c, s, where);
                        return 0;
                }
                if (clock_mono_us() > slow_at) {
                        talk("creched is not ready yet; its log is %s", s->log);
                        slow_at = INT64_MAX;
                }
                nanosleep(&nap, NULL);
        }
}

static int detach(struct cli *c, struct serve *s, struct fail *f)
{
        if (open_log(s, f) < 0)
                return -1;
        s->pid = fork();
        if (s->pid < 0)
                return fail_set(f, ERR_INTERNAL, errno, "starting creched");
        if (s->pid == 0)
                become_creched(s);
        return wait_until_ready(c, s, f);
}

static bool wants_help(int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
                        return true;
        return false;
}

int cmd_serve(struct cli *c, int argc, char **argv, struct fail *f)
{
        struct serve *s = calloc(1, sizeof(*s));
        int used, rc;

        if (wants_help(argc, argv)) {
                free(s);
                return help_command(command_find(1, argv, &used), f);
        }
        if (!s)
                return fail_set(f, ERR_INTERNAL, ENOMEM, "starting creched");
        s->log_fd = -1;
        rc = find_creched(s->creched, f) < 0 || read_arguments(c, s, argc, argv, f) < 0 ? -1 : 0;
        if (rc == 0 && s->detach) {
                rc = detach(c, s, f);
        } else if (rc == 0) {
                execv(s->creched, s->argv);
                rc = refuse_creched(s, f);
        }
        closep(&s->log_fd);
        free(s->argv);
        free(s);
        return rc;
}
