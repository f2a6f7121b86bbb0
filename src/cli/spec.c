/* SPDX-License-Identifier: MIT */
#include "cli/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/signals.h"
#include "cli/text.h"

enum { SECRET_MAX = 131072 };

/* How an option becomes a member. */
enum kind {
        KIND_NONE,
        KIND_TEXT,
        KIND_PATH,
        KIND_TRUE,
        KIND_FALSE,
        KIND_INTEGER,
        KIND_SECONDS,
        KIND_ACCOUNT,
        KIND_ENV,
        KIND_SECRET,
        KIND_LABELS,
        KIND_RLIMITS,
        KIND_KWARGS,
        KIND_STDIN,
        KIND_STDIN_TEXT,
        KIND_SIGNAL,
};

static const struct option_spec start_options[] = {
        OPTION("name", 'n', "NAME", "what it is called; need not be unique", .member = "name",
               .kind = KIND_TEXT),
        OPTION("target", 'T', "NAME", "what an admin has put under this name; the arguments are its values",
               .completes = COMPLETES_TARGET, .member = "target", .kind = KIND_TEXT),
        OPTION("kwarg", 'k', "NAME=VALUE", "a value of the target, by its name", .member = "kwargs",
               .kind = KIND_KWARGS),
        OPTION("secret", 0, "NAME[=FILE]", "the same, never stored: the value is ours, or in FILE",
               .member = "secrets", .kind = KIND_SECRET),
        OPTION("stdin", 'i', "null|pipe|-", "'-': ours; pipe: what 'creche stdin' writes",
               .completes = COMPLETES_WORDS, .member = "stdin", .kind = KIND_STDIN),
        OPTION("stdin-text", 0, "TEXT", "it reads this text, and then the end", .member = "stdin",
               .kind = KIND_STDIN_TEXT),
        OPTION("identity", 0, "N[:N]...", "a number of its own among its parent's children",
               .member = "identity", .kind = KIND_TEXT),
        {0},
};

const struct option_group options_start = {"This start", start_options};

static const struct option_spec target_options[] = {
        OPTION("description", 'D', "TEXT", "what it is, for people", .member = "description",
               .kind = KIND_TEXT),
        OPTION("stdin", 'i', "null|pipe", "pipe: what 'creche stdin' writes", .completes = COMPLETES_WORDS,
               .member = "stdin", .kind = KIND_TEXT),
        {0},
};

const struct option_group options_target = {"The target", target_options};

static const struct option_spec spec_options[] = {
        OPTION("env", 'e', "NAME[=VALUE]", "put into its environment; without '=': the value is ours",
               .member = "env", .kind = KIND_ENV),
        OPTION("cwd", 'C', "DIR", "where it runs (here, if the daemon is this user's; else its user's home)",
               .completes = COMPLETES_FILE, .member = "cwd", .kind = KIND_PATH),
        OPTION("label", 'l', "KEY=VALUE", "a mark to find it by", .member = "labels", .kind = KIND_LABELS),
        OPTION("user", 'u', "USER", "run as this user, where the daemon's policy allows", .member = "user",
               .kind = KIND_ACCOUNT),
        OPTION("group", 'g', "GROUP", "run in this group", .member = "group", .kind = KIND_ACCOUNT),
        OPTION("stdout", 0, "log|null", "where its output goes", .completes = COMPLETES_WORDS,
               .member = "stdout", .kind = KIND_TEXT),
        OPTION("stderr", 0, "log|null|stdout", "where its error output goes", .completes = COMPLETES_WORDS,
               .member = "stderr", .kind = KIND_TEXT),
        OPTION("timeout", 't', "TIME", "terminate it when it has run so long (90, 10m, 2h)",
               .member = "timeout", .kind = KIND_SECONDS),
        OPTION("grace", 0, "TIME", "between SIGTERM and SIGKILL then (10)", .member = "grace",
               .kind = KIND_SECONDS),
        OPTION("daemon", 'd', NULL, "daemonic: terminated when its parent, or Creche, stops",
               .member = "daemon", .kind = KIND_TRUE),
        OPTION("no-daemon", 0, NULL, "not daemonic, though its parent is", .member = "daemon",
               .kind = KIND_FALSE),
        OPTION("on-parent-death", 0, "none|SIGNAL", "what it is sent when its parent dies",
               .member = "on_parent_death", .kind = KIND_SIGNAL),
        OPTION("rlimit", 0, "NAME=SOFT[:HARD]", "as nofile=1024:4096 or core=unlimited", .member = "rlimits",
               .kind = KIND_RLIMITS),
        OPTION("nice", 0, "N", "-20 to 19", .member = "nice", .kind = KIND_INTEGER),
        OPTION("umask", 0, "OCTAL", "(022)", .member = "umask", .kind = KIND_TEXT),
        OPTION("start-method", 0, "spawn|fork|forkserver", "how it is started", .completes = COMPLETES_WORDS,
               .member = "start_method", .kind = KIND_TEXT),
        OPTION("allow-new-privs", 0, NULL, "let it execute setuid programs as such", .member = "no_new_privs",
               .kind = KIND_FALSE),
        {0},
};

const struct option_group options_spec = {"What it is started with", spec_options};

static bool is_object(int kind)
{
        return kind == KIND_ENV || kind == KIND_SECRET || kind == KIND_LABELS || kind == KIND_RLIMITS ||
               kind == KIND_KWARGS;
}

static int refuse_value(const struct option_spec *s, const char *value, struct fail *f)
{
        fail_usage(f, "--%s: '%s' is no %s", s->name, value, s->value);
        return fail_hint(f, "%s", s->help);
}

/* "key": with the key up to its '='. */
static void add_key(struct strbuf *b, const char *pair)
{
        strbuf_json_bytes(b, pair, strcspn(pair, "="));
        strbuf_char(b, ':');
}

static int add_env(const struct option_spec *s, const char *pair, struct strbuf *b, struct fail *f)
{
        const char *value = strchr(pair, '=');

        value = value ? value + 1 : getenv(pair);
        if (!value || *pair == '=') {
                fail_usage(f, "--%s: %s is not in our environment", s->name, pair);
                return fail_hint(f, "say its value: --%s NAME=VALUE", s->name);
        }
        add_key(b, pair);
        strbuf_json_str(b, value);
        return 0;
}

static int add_secret(const struct option_spec *s, const char *pair, struct strbuf *b, struct fail *f)
{
        const char *file = strchr(pair, '=');
        CLEANUP(closep) int fd = -1;
        CLEANUP(freep) char *text = NULL;
        ssize_t n;

        if (!file)
                return add_env(s, pair, b, f);
        fd = open(file + 1, O_RDONLY | O_CLOEXEC);
        text = malloc(SECRET_MAX);
        n = fd < 0 || !text ? -1 : fd_read_all(fd, text, SECRET_MAX);
        if (n < 0) {
                fail_usage(f, "--%s: cannot read %s: %s", s->name, file + 1, strerrordesc_np(errno));
                return fail_hint(f,
                                 "the file holds the value, up to %d bytes; without a file the value is "
                                 "taken from our "
                                 "environment",
                                 SECRET_MAX - 1);
        }
        /* What an editor puts behind the last line is not meant. */
        if (n && text[n - 1] == '\n')
                n--;
        add_key(b, pair);
        strbuf_json_bytes(b, text, (size_t)n);
        explicit_bzero(text, SECRET_MAX);
        return 0;
}

static int add_pair(const struct option_spec *s, const char *pair, struct strbuf *b, struct fail *f)
{
        const char *value = strchr(pair, '=');

        if (!value)
                return refuse_value(s, pair, f);
        add_key(b, pair);
        strbuf_json_str(b, value + 1);
        return 0;
}

/* A number or "unlimited" at @s into @b; what follows it, NULL: it is neither. */
static const char *add_limit(const char *s, struct strbuf *b)
{
        size_t digits = strspn(s, "0123456789");

        if (!strncmp(s, "unlimited", 9)) {
                strbuf_str(b, "null");
                return s + 9;
        }
        strbuf_add(b, s, digits);
        return digits ? s + digits : NULL;
}

static int add_rlimit(const struct option_spec *s, const char *pair, struct strbuf *b, struct fail *f)
{
        const char *soft = strchr(pair, '='), *rest;

        if (!soft)
                return refuse_value(s, pair, f);
        add_key(b, pair);
        strbuf_char(b, '[');
        rest = add_limit(++soft, b);
        strbuf_char(b, ',');
        rest = rest ? add_limit(*rest == ':' ? rest + 1 : soft, b) : NULL;
        strbuf_char(b, ']');
        return rest && !*rest ? 0 : refuse_value(s, pair, f);
}

/* A relative one is one of ours. */
static int add_path(const struct option_spec *s, const char *path, struct strbuf *b, struct fail *f)
{
        char whole[PATH_MAX];

        if (*path == '/') {
                strbuf_json_str(b, path);
                return 0;
        }
        if (!realpath(path, whole)) {
                fail_usage(f, "--%s %s: %s", s->name, path, strerrordesc_np(errno));
                return fail_hint(f, "name a directory");
        }
        strbuf_json_str(b, whole);
        return 0;
}

static int add_number(const struct option_spec *s, const char *text, struct strbuf *b, struct fail *f)
{
        int64_t v;

        if (number_parse(text, INT64_MIN, INT64_MAX, &v) < 0)
                return refuse_value(s, text, f);
        strbuf_int(b, v);
        return 0;
}

static int add_seconds(const struct option_spec *s, const char *text, struct strbuf *b, struct fail *f)
{
        double v = text_seconds(text);

        if (v < 0)
                return refuse_value(s, text, f);
        strbuf_printf(b, "%.15g", v);
        return 0;
}

static void add_account(const char *text, struct strbuf *b)
{
        if (*text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 11)
                strbuf_str(b, text);
        else
                strbuf_json_str(b, text);
}

/* Bytes that are no text become an object by themselves. */
static void add_stdin_text(const char *text, struct strbuf *b)
{
        if (utf8_is_valid(text, strlen(text)))
                strbuf_str(b, "{\"text\":");
        strbuf_json_str(b, text);
        if (utf8_is_valid(text, strlen(text)))
                strbuf_char(b, '}');
}

static int add_signal(const char *text, struct strbuf *b, struct fail *f)
{
        char name[SIGNAL_NAME_MAX] = "none";

        if (strcmp(text, "none") != 0 && signals_parse(text, name, f) < 0)
                return -1;
        strbuf_json_str(b, name);
        return 0;
}

/* What one option says. */
static int add_value(const struct option_spec *s, const char *value, struct strbuf *b, struct fail *f)
{
        switch ((enum kind)s->kind) {
        case KIND_TRUE: strbuf_str(b, "true"); return 0;
        case KIND_FALSE: strbuf_str(b, "false"); return 0;
        case KIND_INTEGER: return add_number(s, value, b, f);
        case KIND_SECONDS: return add_seconds(s, value, b, f);
        case KIND_PATH: return add_path(s, value, b, f);
        case KIND_ACCOUNT: add_account(value, b); return 0;
        case KIND_ENV: return add_env(s, value, b, f);
        case KIND_SECRET: return add_secret(s, value, b, f);
        case KIND_KWARGS:
        case KIND_LABELS: return add_pair(s, value, b, f);
        case KIND_RLIMITS: return add_rlimit(s, value, b, f);
        case KIND_STDIN: strbuf_json_str(b, strcmp(value, "-") ? value : "pipe"); return 0;
        case KIND_SIGNAL: return add_signal(value, b, f);
        case KIND_STDIN_TEXT: add_stdin_text(value, b); return 0;
        case KIND_NONE:
        case KIND_TEXT: strbuf_json_str(b, value); return 0;
        }
        return -1;
}

/* Whether @pair is followed by another of the same key: an object has each key once, and the last one counts. */
static bool is_overridden(const struct args *a, const char *name, size_t at, const char *pair)
{
        size_t n = strcspn(pair, "=");
        const char *later;

        while ((later = args_next(a, name, &at)))
                if (strcspn(later, "=") == n && !strncmp(later, pair, n))
                        return true;
        return false;
}

static int add_object(const struct args *a, const struct option_spec *s, struct strbuf *b, struct fail *f)
{
        const char *pair, *comma = "";
        size_t at = 0;

        strbuf_char(b, '{');
        while ((pair = args_next(a, s->name, &at))) {
                if (is_overridden(a, s->name, at, pair))
                        continue;
                strbuf_str(b, comma);
                comma = ",";
                if (add_value(s, pair, b, f) < 0)
                        return -1;
        }
        strbuf_char(b, '}');
        return 0;
}

static int add_member(const struct args *a, const struct option_spec *s, struct strbuf *b, struct fail *f)
{
        strbuf_printf(b, ",\"%s\":", s->member);
        return is_object(s->kind) ? add_object(a, s, b, f) : add_value(s, args_get(a, s->name), b, f);
}

static int add_members(const struct args *a, const struct option_spec *options, struct strbuf *b,
                       struct fail *f)
{
        for (const struct option_spec *s = options; s->name; s++)
                if (args_has(a, s->name) && add_member(a, s, b, f) < 0)
                        return -1;
        return 0;
}

/* The program and its arguments, or the values of a target. sh -c is the one shell there is. */
static int add_argv(const struct args *a, struct strbuf *b, struct fail *f)
{
        strbuf_str(b, args_has(a, "target") ? "{\"args\":[" : "{\"argv\":[");
        if (args_has(a, "shell")) {
                if (a->operands_n != 1) {
                        fail_usage(f, "--shell takes one argument, the command as a shell reads it");
                        return fail_hint(f, "quote it: creche %s --shell 'make 2>&1 | tail'",
                                         a->command->name);
                }
                strbuf_str(b, "\"/bin/sh\",\"-c\",");
        }
        for (int i = 0; i < a->operands_n; i++) {
                strbuf_str(b, i ? "," : "");
                strbuf_json_str(b, a->operands[i]);
        }
        strbuf_char(b, ']');
        return 0;
}

bool spec_shares_directories(const struct cli *c)
{
        struct stat st;

        return !c->client.where.url && stat(c->client.where.socket, &st) == 0 && st.st_uid == geteuid();
}

/* What runs for us runs where we are, if it can: on this machine, and as the user that we are. */
static void add_directory(const struct cli *c, const struct args *a, struct strbuf *b)
{
        char here[PATH_MAX];

        if (args_has(a, "target") || args_has(a, "cwd") || args_has(a, "user") ||
            !spec_shares_directories(c) || !getcwd(here, sizeof(here)) || *here != '/' ||
            !utf8_is_valid(here, strlen(here)))
                return;
        strbuf_str(b, ",\"cwd\":");
        strbuf_json_str(b, here);
}

static int check_exclusive(const struct args *a, const char *one, const char *other, struct fail *f)
{
        if (!args_has(a, one) || !args_has(a, other))
                return 0;
        fail_usage(f, "--%s and --%s exclude each other", one, other);
        return fail_hint(f, "say the one, or the other");
}

int spec_write(const struct cli *c, const struct args *a, bool start, struct strbuf *body, struct fail *f)
{
        body->secret = true;
        if (check_exclusive(a, "stdin", "stdin-text", f) < 0 ||
            check_exclusive(a, "daemon", "no-daemon", f) < 0 ||
            check_exclusive(a, "target", "shell", f) < 0 || add_argv(a, body, f) < 0)
                return -1;
        if (add_members(a, start_options, body, f) < 0 || add_members(a, spec_options, body, f) < 0)
                return -1;
        add_directory(c, a, body);
        strbuf_printf(body, "%s}", start ? "" : ",\"start\":false");
        return 0;
}

int spec_write_target(const struct args *a, char **argv, struct strbuf *body, struct fail *f)
{
        body->secret = true;
        if (check_exclusive(a, "daemon", "no-daemon", f) < 0)
                return -1;
        strbuf_str(body, "{\"argv\":[");
        for (char **word = argv; *word; word++) {
                strbuf_str(body, word == argv ? "" : ",");
                strbuf_json_str(body, *word);
        }
        strbuf_char(body, ']');
        return add_members(a, target_options, body, f) < 0 || add_members(a, spec_options, body, f) < 0 ? -1
                                                                                                        : 0;
}

bool spec_feeds_stdin(const struct args *a)
{
        const char *v = args_get(a, "stdin");

        return v && !strcmp(v, "-");
}
