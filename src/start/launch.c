/* SPDX-License-Identifier: MIT */
#include "start/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/strbuf.h"

enum { DEFAULTS = 6 };

#define PATH_ROOT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_USER "PATH=/usr/local/bin:/usr/bin:/bin"

/* The piece under construction: a struct launch, then lists (8 bytes aligned) and texts in any order. */
static uint64_t add_text(struct strbuf *b, const char *s)
{
        uint64_t at = b->len;

        if (!s)
                return 0;
        strbuf_add(b, s, strlen(s) + 1);
        return at;
}

/* Reserves room for a list of @n and its end; returns where it is. */
static uint64_t add_list(struct strbuf *b, size_t n)
{
        static const char zeros[8];
        uint64_t at;

        strbuf_add(b, zeros, (8 - b->len % 8) % 8);
        at = b->len;
        for (size_t i = 0; i <= n; i++)
                strbuf_add(b, zeros, sizeof(zeros));
        return at;
}

static void set_item(struct strbuf *b, uint64_t list, size_t i, uint64_t text)
{
        if (!strbuf_failed(b))
                memcpy(b->s + list + i * sizeof(text), &text, sizeof(text));
}

static uint64_t add_strings(struct strbuf *b, const char *const *strings, size_t n)
{
        uint64_t list = add_list(b, n);

        for (size_t i = 0; i < n; i++)
                set_item(b, list, i, add_text(b, strings[i]));
        return list;
}

static size_t count(const char *const *strings)
{
        size_t n = 0;

        while (strings && strings[n])
                n++;
        return n;
}

static bool same_name(const char *a, const char *b)
{
        size_t n = strcspn(a, "=");

        return !strncmp(a, b, n + 1);
}

/* Add @entry unless one of the @n that are there already has its name. */
static size_t add_default(const char **env, size_t n, const char *entry)
{
        for (size_t i = 0; i < n; i++)
                if (same_name(entry, env[i]))
                        return n;
        env[n] = entry;
        return n + 1;
}

static const char *lookup(const char *const *env, size_t n, const char *name)
{
        size_t len = strlen(name);

        for (size_t i = 0; i < n; i++)
                if (!strncmp(env[i], name, len) && env[i][len] == '=')
                        return env[i] + len + 1;
        return NULL;
}

/* What execvp() would try for @file, in this order. An empty element of PATH is the working directory. */
static uint64_t add_paths(struct strbuf *b, const char *file, const char *path)
{
        char candidate[4096];
        size_t n = 1, i = 0;
        uint64_t list;

        if (strchr(file, '/') || !path)
                return add_strings(b, &file, 1);
        for (const char *p = path; *p; p++)
                n += *p == ':';
        list = add_list(b, n);
        for (const char *p = path;; p++) {
                int len = (int)strcspn(p, ":");

                if (snprintf(candidate, sizeof(candidate), "%.*s%s%s", len, p, len ? "/" : "./", file) <
                    (int)sizeof(candidate))
                        set_item(b, list, i++, add_text(b, candidate));
                p += len;
                if (!*p)
                        return list;
        }
}

/* The whole environment of the child, in @env: ours above the request's above the defaults. */
static size_t collect_env(const char **env, const struct spec *spec, const struct launch_context *c,
                          const char *const *defaults)
{
        size_t n = 0;

        for (size_t i = 0; c->env[i]; i++)
                env[n++] = c->env[i];
        for (size_t i = 0; spec->env && spec->env[i]; i++)
                env[n++] = spec->env[i];
        for (size_t i = 0; i < DEFAULTS; i++)
                n = add_default(env, n, defaults[i]);
        return n;
}

static void set_ids(struct launch *l, const struct account *a)
{
        l->has_ids = a->switches;
        l->limits_last = a->unprivileged;
        l->uid = a->uid;
        l->gid = a->gid;
        l->groups_n = a->groups_n;
        memcpy(l->groups, a->groups, sizeof(l->groups));
}

/* The daemon changes its own limit; children get the one that it was started with. */
static void restore_limit(struct launch *l, int resource, const struct rlimit *limit)
{
        for (uint32_t i = 0; i < l->rlimits_n; i++)
                if (l->rlimits[i].resource == resource)
                        return;
        if (limit->rlim_max && l->rlimits_n < SPEC_RLIMITS_MAX)
                l->rlimits[l->rlimits_n++] = (struct spec_rlimit){.resource = resource, .limit = *limit};
}

static void set_plain(struct launch *l, const struct spec *spec, const struct launch_context *c)
{
        l->out = spec->out;
        l->err = spec->err;
        l->umask = spec->umask;
        l->nice = spec->nice;
        l->has_nice = spec->has_nice;
        l->no_new_privs = !spec->may_gain_privileges;
        snprintf(l->oom_score_adj, sizeof(l->oom_score_adj), "%s", c->oom_score_adj ? c->oom_score_adj : "");
        l->rlimits_n = (uint32_t)spec->rlimits_n;
        memcpy(l->rlimits, spec->rlimits, sizeof(l->rlimits));
        restore_limit(l, RLIMIT_NOFILE, &c->nofile);
        restore_limit(l, RLIMIT_CORE, &c->core);
        set_ids(l, c->account);
}

static void set_refs(struct strbuf *b, struct launch *head, const struct spec *spec,
                     const struct launch_context *c, const char *const *env, size_t env_n)
{
        head->argv.offset =
                add_strings(b, (const char *const *)spec->argv, count((const char *const *)spec->argv));
        head->envp.offset = add_strings(b, env, env_n);
        head->paths.offset = add_paths(b, spec->argv[0], lookup(env, env_n, "PATH"));
        head->cwd.offset = add_text(b, c->cwd);
        head->log_root.offset = add_text(b, c->log_root);
        head->out_path.offset = add_text(b, c->out_path);
        head->err_path.offset = add_text(b, c->err_path);
}

struct launch *launch_new(const struct spec *spec, const struct launch_context *c)
{
        const struct account *a = c->account;
        char home[300], user[80], logname[80], shell[160];
        const char *defaults[DEFAULTS] = {
                a->uid ? PATH_USER : PATH_ROOT, home, user, logname, shell, "LANG=C.UTF-8"};
        size_t env_max = count(c->env) + count((const char *const *)spec->env) + DEFAULTS;
        CLEANUP(freep) const char **env = calloc(env_max, sizeof(*env));
        CLEANUP(strbuf_done) struct strbuf b = {.secret = true};
        struct launch head = {0};

        if (!env)
                return NULL;
        snprintf(home, sizeof(home), "HOME=%s", a->home);
        snprintf(user, sizeof(user), "USER=%s", a->name);
        snprintf(logname, sizeof(logname), "LOGNAME=%s", a->name);
        snprintf(shell, sizeof(shell), "SHELL=%s", a->shell);

        strbuf_add(&b, &head, sizeof(head));
        set_plain(&head, spec, c);
        set_refs(&b, &head, spec, c, env, collect_env(env, spec, c, defaults));
        head.size = b.len;
        if (strbuf_failed(&b))
                return NULL;
        memcpy(b.s, &head, sizeof(head));
        return (struct launch *)strbuf_steal(&b);
}

/* It holds secrets. */
void launch_free(struct launch *l)
{
        secret_free(l, l ? l->size : 0);
}

enum { LISTS = 3 };

/* What the lists occupy, each with its end. To relocate one changes it: so nothing else may be in there. */
struct extents {
        uint64_t from[LISTS], to[LISTS];
};

static const uint64_t *items_at(const struct launch *l, uint64_t at)
{
        return (const void *)((const char *)l + at);
}

static bool is_apart(const struct extents *x, int lists, uint64_t from, uint64_t to)
{
        for (int i = 0; i < lists; i++)
                if (from < x->to[i] && x->from[i] < to)
                        return false;
        return true;
}

/* Takes the extent of list number @i, which begins at @at. */
static bool is_list(const struct launch *l, struct extents *x, int i, uint64_t at)
{
        uint64_t to = at;

        if (at < sizeof(*l) || at % sizeof(uint64_t) || at >= l->size)
                return false;
        for (bool more = true; more; to += sizeof(uint64_t)) {
                if (l->size - to < sizeof(uint64_t))
                        return false;
                more = *items_at(l, to);
        }
        x->from[i] = at;
        x->to[i] = to;
        return is_apart(x, i, at, to);
}

static bool is_text(const struct launch *l, const struct extents *x, uint64_t at)
{
        const char *s;

        /* A pointer beyond that is undefined even when nobody looks. */
        if (at < sizeof(*l) || at >= l->size)
                return false;
        s = (const char *)l + at;
        return memchr(s, 0, l->size - at) && is_apart(x, LISTS, at, at + strlen(s) + 1);
}

static bool is_text_or_none(const struct launch *l, const struct extents *x, uint64_t at)
{
        return at == 0 || is_text(l, x, at);
}

/* As the child opens it: below log_root, when there is one. */
static bool is_log(const struct launch *l, const struct extents *x, enum output output, uint64_t at)
{
        const char *root, *path;

        if (output != OUTPUT_LOG || !at || !l->log_root.offset)
                return is_text_or_none(l, x, at);
        if (!is_text(l, x, at))
                return false;
        root = (const char *)l + l->log_root.offset;
        path = (const char *)l + at;
        return !strncmp(path, root, strlen(root)) && path[strlen(root)] == '/';
}

static bool are_texts(const struct launch *l, const struct extents *x)
{
        for (int i = 0; i < LISTS; i++)
                for (const uint64_t *item = items_at(l, x->from[i]); *item; item++)
                        if (!is_text(l, x, *item))
                                return false;
        return is_text(l, x, l->cwd.offset) && is_text_or_none(l, x, l->log_root.offset) &&
               is_log(l, x, l->out, l->out_path.offset) && is_log(l, x, l->err, l->err_path.offset);
}

/* Anything else in the place of one is undefined as soon as it is looked at. */
static bool are_bools(const struct launch *l)
{
        static const size_t at[] = {offsetof(struct launch, has_nice), offsetof(struct launch, no_new_privs),
                                    offsetof(struct launch, has_ids), offsetof(struct launch, limits_last)};
        const unsigned char *bytes = (const unsigned char *)l;

        for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
                if (bytes[at[i]] > 1)
                        return false;
        return !bytes[offsetof(struct launch, relocated)];
}

bool launch_is_sound(const struct launch *l, size_t size)
{
        struct extents x;

        return size >= sizeof(*l) && size < LAUNCH_BYTES_MAX && l->size == size && are_bools(l) &&
               is_list(l, &x, 0, l->argv.offset) && is_list(l, &x, 1, l->envp.offset) &&
               is_list(l, &x, 2, l->paths.offset) && *items_at(l, l->argv.offset) && are_texts(l, &x) &&
               (unsigned)l->out < OUTPUT_COUNT && (unsigned)l->err < OUTPUT_COUNT && l->umask <= 0777 &&
               memchr(l->oom_score_adj, 0, sizeof(l->oom_score_adj)) && l->groups_n <= ACCOUNT_GROUPS_MAX &&
               l->rlimits_n <= SPEC_RLIMITS_MAX;
}

static void relocate_list(struct launch *l, union launch_ref *ref)
{
        uint64_t at = ref->offset;

        ref->list = (char **)((char *)l + at);
        for (char **item = ref->list; *item; item++)
                *item = (char *)l + (uintptr_t)*item;
}

static void relocate_text(struct launch *l, union launch_ref *ref)
{
        uint64_t at = ref->offset;

        ref->text = at ? (char *)l + at : NULL;
}

void launch_relocate(struct launch *l)
{
        if (l->relocated)
                return;
        l->relocated = true;
        relocate_list(l, &l->argv);
        relocate_list(l, &l->envp);
        relocate_list(l, &l->paths);
        relocate_text(l, &l->cwd);
        relocate_text(l, &l->log_root);
        relocate_text(l, &l->out_path);
        relocate_text(l, &l->err_path);
}
