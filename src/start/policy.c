/* SPDX-License-Identifier: MIT */
#include "start/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

enum { OTHERS_WRITE = 022 };

/* --------------------------------------------------------------------------------------- the file */

static bool is_roots_alone(const struct stat *st)
{
        return st->st_uid == 0 && !(st->st_mode & OTHERS_WRITE);
}

/* Whoever may rename in a folder on the way to it could put another file of root's in its place. */
static int check_folders(const char *path, struct err *e)
{
        CLEANUP(freep) char *folder = strdup(path);
        CLEANUP(freep) char *real = NULL;
        struct stat st;

        if (!folder)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        *(strrchr(folder, '/') + 1) = '\0';
        real = realpath(folder, NULL);
        if (!real)
                return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, errno, "the policy %s",
                               path);
        for (;;) {
                char *slash = strrchr(real, '/');

                if (stat(*real ? real : "/", &st) < 0)
                        return err_set(e, ERR_INVALID, errno, "looking at %s", real);
                if (!is_roots_alone(&st) && !(st.st_uid == 0 && (st.st_mode & S_ISVTX)))
                        return err_set(e, ERR_INVALID, 0,
                                       "others than root can change what is in %s: no place for a policy",
                                       *real ? real : "/");
                if (!slash)
                        return 0;
                *slash = '\0';
        }
}

static int check_file(int fd, struct err *e)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return err_set(e, ERR_INTERNAL, errno, "looking at the policy");
        if (!S_ISREG(st.st_mode) || !is_roots_alone(&st))
                return err_set(
                        e, ERR_INVALID, 0,
                        "the policy must be a file of root's that nobody else can write to: chown root, "
                        "chmod go-w");
        return 0;
}

int policy_open(const char *path, struct err *e)
{
        CLEANUP(closep) int fd = -1;

        if (check_folders(path, e) < 0)
                return -1;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, errno, "the policy %s",
                               path);
        return check_file(fd, e) < 0 ? -1 : TAKE_FD(fd);
}

/* ------------------------------------------------------------------------------------ what it says */

/* The id that @name is of: a number, or a name that @resolve knows. */
static int id_of(const json_t *name, bool is_user, unsigned *id, struct err *e)
{
        char text[32] = "";
        struct account a;

        if (json_is_integer(name))
                snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(name));
        else if (!json_is_string(name))
                return err_set(e, ERR_INVALID, 0, "the policy: users and groups are names or numbers");
        if (account_lookup(json_is_string(name) ? json_string_value(name) : text, is_user, &a, e) < 0)
                return err_wrap(e, "the policy: %s", json_is_string(name) ? json_string_value(name) : text);
        *id = is_user ? a.uid : a.gid;
        return 0;
}

static int take_ids(const json_t *list, bool is_user, unsigned *ids, size_t *n, struct err *e)
{
        const json_t *name;
        size_t i;

        *n = json_array_size(list);
        if ((list && !json_is_array(list)) || *n > POLICY_IDS_MAX)
                return err_set(e, ERR_INVALID, 0, "the policy: users and groups are lists of up to %d",
                               POLICY_IDS_MAX);
        json_array_foreach(list, i, name) if (id_of(name, is_user, &ids[i], e) < 0) return -1;
        return 0;
}

static int take_executables(const json_t *list, struct policy *p, struct err *e)
{
        const json_t *path;
        size_t i;

        if (!list)
                return 0;
        p->executables = calloc(json_array_size(list) + 1, sizeof(*p->executables));
        if (!p->executables)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        json_array_foreach(list, i, path)
        {
                const char *text = json_string_value(path);

                if (!text || *text != '/')
                        return err_set(e, ERR_INVALID, 0, "the policy: executables are absolute paths");
                p->executables[i] = strdup(text);
                if (!p->executables[i])
                        return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        }
        return 0;
}

static int take_all(json_t *root, struct policy *p, struct err *e)
{
        json_t *users, *groups = NULL, *executables = NULL;
        json_error_t why;
        int raise_limits = 0, is_root = 0;

        if (json_unpack_ex(root, &why, JSON_STRICT, "{s:o, s?o, s?o, s?b, s?b}", "users", &users, "groups",
                           &groups, "executables", &executables, "raise_limits", &raise_limits, "root",
                           &is_root) < 0)
                return err_set(e, ERR_INVALID, 0, "the policy: %s", why.text);
        if (executables && !json_is_array(executables))
                return err_set(e, ERR_INVALID, 0, "the policy: executables is a list");
        p->raise_limits = raise_limits;
        p->root = is_root;
        return take_ids(users, true, p->users, &p->users_n, e) < 0 ||
                               take_ids(groups, false, p->groups, &p->groups_n, e) < 0
                       ? -1
                       : take_executables(executables, p, e);
}

/* From its beginning, wherever somebody who has the same file has read to. */
static ssize_t read_whole(int fd, char *text, size_t size)
{
        size_t n = 0;
        ssize_t got = 1;

        while (n < size && got > 0) {
                got = pread(fd, text + n, size - n, (off_t)n);
                n += got > 0 ? (size_t)got : 0;
        }
        return got < 0 ? -1 : (ssize_t)n;
}

int policy_read(int fd, struct policy *p, struct err *e)
{
        CLEANUP(json_decrefp) json_t *root = NULL;
        char text[POLICY_BYTES_MAX + 1];
        json_error_t why;
        ssize_t n;

        *p = (struct policy){0};
        if (check_file(fd, e) < 0)
                return -1;
        n = read_whole(fd, text, sizeof(text));
        if (n < 0 || n > POLICY_BYTES_MAX)
                return err_set(e, ERR_INVALID, n < 0 ? errno : EFBIG, "reading the policy");
        root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &why);
        if (!root)
                return err_set(e, ERR_INVALID, 0, "the policy: line %d: %s", why.line, why.text);
        if (take_all(root, p, e) < 0) {
                policy_done(p);
                return -1;
        }
        return 0;
}

void policy_done(struct policy *p)
{
        for (char **x = p->executables; x && *x; x++)
                free(*x);
        free(TAKE_PTR(p->executables));
}

/* ------------------------------------------------------------------------------------- what it means */

static bool has_id(const unsigned *ids, size_t n, unsigned id)
{
        for (size_t i = 0; i < n; i++)
                if (ids[i] == id)
                        return true;
        return false;
}

/* The group is one that the user is in anyway. */
static bool is_own_group(const struct account *a)
{
        struct account natural;
        char uid[16];

        snprintf(uid, sizeof(uid), "%u", a->uid);
        return account_resolve(uid, NULL, &natural, NULL) == 0 &&
               has_id(natural.groups, natural.groups_n, a->gid);
}

int policy_check(const struct policy *p, const struct account *a, struct err *e)
{
        bool is_root = a->uid == 0 || a->gid == 0 || has_id(a->groups, a->groups_n, 0);

        if (is_root && !p->root)
                return err_set_at(e, ERR_POLICY, a->uid == 0 ? "/user" : "/group",
                                  "the policy lets nothing run as user or group 0");
        if (a->uid != p->own_uid && !has_id(p->users, p->users_n, a->uid))
                return err_set_at(e, ERR_POLICY, "/user", "the policy does not list the user %u", a->uid);
        if (!(a->uid == p->own_uid && a->gid == p->own_gid) && !has_id(p->groups, p->groups_n, a->gid) &&
            !is_own_group(a))
                return err_set_at(e, ERR_POLICY, "/group",
                                  "the group %u is neither the user's nor listed in the policy", a->gid);
        return 0;
}

bool policy_may_signal(const struct policy *p, uid_t uid)
{
        return uid == p->own_uid || (has_id(p->users, p->users_n, uid) && (uid != 0 || p->root));
}

bool policy_may_execute(const struct policy *p, const char *path)
{
        for (char **x = p->executables; x && *x; x++)
                if (!strcmp(*x, path))
                        return true;
        return !p->executables;
}
