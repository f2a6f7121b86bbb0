/* SPDX-License-Identifier: MIT */
/* creche.ini, line by line through inih, which does not tell its handler which line it is: so the lines are counted as it
 * asks for them. It says nothing of sections without keys, nor of what it cuts off: that is looked at here, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "base/cleanup.h"
#include "settings/choose.h"

#define BLANK " \t\r\n\v\f"
#define BOM   "\xef\xbb\xbf"

struct reading {
        struct settings *s;
        FILE *file;
        const char *path;
        enum origin origin;
        unsigned line;
        bool skips;      /* what is in a section that there is not */
        unsigned failed; /* the line of what is in ->e; 0: nothing was wrong yet */
        struct err *e;
};

/* Say what is wrong in @line; the first of all stays. */
static void refuse(struct reading *r, unsigned line, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static void refuse(struct reading *r, unsigned line, const char *fmt, ...)
{
        char what[sizeof(r->e->msg)];
        struct err e;
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(what, sizeof(what), fmt, ap);
        va_end(ap);
        err_set(&e, ERR_INVALID, 0, "%s:%u: %s", r->path, line, what);
        if (r->s->complain)
                r->s->complain(r->s->arg, e.msg);
        if (r->failed && r->failed <= line)
                return;
        r->failed = line;
        *r->e = e;
}

/* ------------------------------------------------------------------------------------------- the lines */

static int find_section(const char *name, size_t n)
{
        for (int i = 0; i < SECTIONS; i++)
                if (strlen(setting_lists[i].name) == n && !strncmp(setting_lists[i].name, name, n))
                        return i;
        return -1;
}

static void check_section(struct reading *r, const char *line)
{
        size_t n = strcspn(line + 1, "]" BLANK);
        const char *end = line + 1 + n;

        r->skips = find_section(line + 1, n) < 0 || *end != ']';
        if (r->skips)
                refuse(r, r->line, "no section of this file: '%.*s': there are [creche] and [creched]",
                       (int)strcspn(line, "\r\n"), line);
        else if (!strchr(";#", end[1 + strspn(end + 1, BLANK)]))
                refuse(r, r->line, "what is that, behind [%s]?",
                       setting_lists[find_section(line + 1, n)].name);
}

/* The next line, up to and without its end, into @line. Returns its length, -1: there is none; @whole: all of it. */
static int read_line(FILE *f, char *line, int room, bool *whole)
{
        int c, n = 0;
        bool any = false;

        *whole = true;
        while ((c = getc(f)) != EOF) {
                any = true;
                if (c == '\n')
                        break;
                /* To inih, what is indented goes on with the line before: nobody would expect that. */
                if (!n && (c == ' ' || c == '\t'))
                        continue;
                if (!c || n == room)
                        *whole = false;
                else
                        line[n++] = (char)c;
        }
        return any ? n : -1;
}

/* As fgets(); a line that cannot be taken whole is told, and becomes an empty one. */
static char *next_line(char *line, int size, void *arg)
{
        struct reading *r = arg;
        bool whole;
        int n = read_line(r->file, line, size - 2, &whole);

        if (n < 0)
                return NULL;
        r->line++;
        if (!whole) {
                refuse(r, r->line, "longer than %d bytes, or with a NUL in it", size - 2);
                n = 0;
        }
        strcpy(line + n, "\n");
        if (r->line == 1 && !strncmp(line, BOM, 3))
                memmove(line, line + 3, (size_t)n - 1);
        if (*line == '[')
                check_section(r, line);
        /* The keys of it are not looked at, so that each mistake is told once. */
        if (*line == '[' && r->skips)
                strcpy(line, "\n");
        return line;
}

/* -------------------------------------------------------------------------------------------- the keys */

/* What is right on a command line may be wrong in a file. */
static bool belongs_here(struct reading *r, const struct setting *s, const char *text)
{
        if (s->kind == SETTING_SECRET)
                refuse(r, r->line, "%s: is not read from a file like this one: say %s-file = FILE", s->name,
                       s->name);
        else if (s->kind == SETTING_PATH && *text != '/')
                refuse(r, r->line, "%s: not a path that begins with a '/': '%s'", s->name, text);
        else
                return true;
        return false;
}

static void take(struct reading *r, int section, int i, const char *text)
{
        const struct setting *s = &setting_lists[section].settings[i];
        struct chosen *c = &r->s->chosen[section][i];
        struct err e;

        if (c->origin == r->origin)
                refuse(r, r->line, "%s: given twice, first in line %u", s->name, c->line);
        else if (!belongs_here(r, s, text))
                return;
        else if (setting_check(s, text, s->name, &e) < 0 ||
                 settings_choose(c, text, r->origin, r->line, &e) < 0)
                refuse(r, r->line, "%s", e.msg);
}

static int take_key(void *arg, const char *section, const char *name, const char *value)
{
        struct reading *r = arg;
        int found = find_section(section, strlen(section)), i;

        if (r->skips)
                return 1;
        if (found < 0) {
                refuse(r, r->line, "'%s' stands before any section: [creche] or [creched]", name);
                return 1;
        }
        i = setting_find((enum section)found, name);
        if (i < 0)
                refuse(r, r->line, "there is no '%s' in [%s]", name, section);
        else
                take(r, found, i, value ?: "");
        return 1;
}

static void check_exclusive(struct reading *r)
{
        const struct chosen *socket = &r->s->chosen[SECTION_CRECHE][CRECHE_SOCKET],
                            *url = &r->s->chosen[SECTION_CRECHE][CRECHE_URL];

        if (socket->origin == r->origin && url->origin == r->origin)
                refuse(r, socket->line > url->line ? socket->line : url->line,
                       "socket and url exclude each other");
}

int settings_read_file(struct settings *s, FILE *f, const char *path, enum origin origin, struct err *e)
{
        struct reading r = {.s = s, .file = f, .path = path, .origin = origin, .e = e};
        int line = ini_parse_stream(next_line, &r, take_key, &r);

        if (path != s->files[origin])
                snprintf(s->files[origin], sizeof(s->files[origin]), "%s", path);
        /* The handler refuses nothing, so this is a line that inih did not understand: the first of these. */
        if (line > 0)
                refuse(&r, (unsigned)line, "neither [SECTION] nor KEY = VALUE");
        else if (line < 0)
                return err_set(e, ERR_INTERNAL, ENOMEM, "reading %s", path);
        if (ferror(f))
                return err_set(e, ERR_INTERNAL, errno, "reading %s", path);
        check_exclusive(&r);
        return r.failed ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------- the files */

static int check_file(int fd, const char *path, bool trusted, struct err *e)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return err_set(e, ERR_INVALID, errno, "%s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(e, ERR_INVALID, 0, "%s: not a file", path);
        if (trusted && ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 022))
                return err_set(e, ERR_INVALID, 0, "%s: others may write it: chown root %s; chmod go-w %s",
                               path, path, path);
        return 0;
}

static int complain(struct settings *s, const struct err *e)
{
        if (s->complain)
                s->complain(s->arg, e->msg);
        return -1;
}

/* There may be one, but not for us: who may not enter its folder is not meant. */
static bool is_closed_to_us(const char *path)
{
        char folder[PATH_MAX];
        const char *slash = strrchr(path, '/');

        if (!slash)
                return false;
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
        return access(folder, X_OK) < 0;
}

int settings_read_path(struct settings *s, const char *path, enum origin origin, bool trusted, struct err *e)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;
        FILE *f;

        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || (errno == EACCES && is_closed_to_us(path))))
                return 1;
        if (fd < 0) {
                err_set(e, ERR_INVALID, errno, "%s", path);
                return complain(s, e);
        }
        f = check_file(fd, path, trusted, e) == 0 ? fdopen(fd, "r") : NULL;
        if (!f) {
                close(fd);
                return complain(s, e);
        }
        rc = settings_read_file(s, f, path, origin, e);
        fclose(f);
        return rc;
}

int settings_read_files(struct settings *s, bool trusted, struct err *e)
{
        struct chosen *socket = &s->chosen[SECTION_CRECHE][CRECHE_SOCKET];
        const struct chosen *ours = &s->chosen[SECTION_CRECHED][CRECHED_SOCKET];
        int rc = 0;

        for (enum origin from = ORIGIN_SYSTEM_FILE; from <= ORIGIN_USER_FILE; from++) {
                struct err next;

                if (!*s->files[from] || settings_read_path(s, s->files[from], from, trusted, &next) >= 0)
                        continue;
                if (rc == 0)
                        *e = next;
                rc = -1;
                if (!s->complain)
                        break;
        }
        return rc < 0 ? -1 : settings_choose(socket, ours->text, ORIGIN_DEFAULT, 0, e);
}
