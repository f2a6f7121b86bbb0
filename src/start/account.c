/* SPDX-License-Identifier: MIT */
#include "start/account.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NSS_BUFFER = 65536 };

/* Decimal as it is written, without zeros before it, and an id that the kernel takes: (uid_t)-1 means "leave it" to
 * set*id(). */
static bool parse_id(const char *s, uint32_t *id)
{
        unsigned long long v;
        char *end;

        if (!isdigit((unsigned char)*s) || (*s == '0' && s[1]))
                return false;
        errno = 0;
        v = strtoull(s, &end, 10);
        if (*end || errno || v >= UINT32_MAX)
                return false;
        *id = (uint32_t)v;
        return true;
}

static void set_user(struct account *a, const struct passwd *pw)
{
        a->uid = pw->pw_uid;
        a->gid = pw->pw_gid;
        snprintf(a->name, sizeof(a->name), "%s", pw->pw_name);
        snprintf(a->home, sizeof(a->home), "%s", pw->pw_dir);
        snprintf(a->shell, sizeof(a->shell), "%s", pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh");
}

/* A user without a line in passwd: by number only. */
static void set_bare_user(struct account *a, uid_t uid, gid_t gid)
{
        a->uid = uid;
        a->gid = gid;
        snprintf(a->name, sizeof(a->name), "%u", uid);
        snprintf(a->home, sizeof(a->home), "/");
        snprintf(a->shell, sizeof(a->shell), "/bin/sh");
}

static int resolve_user(const char *user, bool has_group, struct account *a, struct err *e)
{
        char buf[NSS_BUFFER];
        struct passwd pw, *found = NULL;
        uint32_t uid = geteuid();
        bool numeric = !user || parse_id(user, &uid);

        if (numeric)
                getpwuid_r(uid, &pw, buf, sizeof(buf), &found);
        else
                getpwnam_r(user, &pw, buf, sizeof(buf), &found);
        if (found)
                set_user(a, found);
        else if (!user)
                set_bare_user(a, uid, getegid());
        else if (numeric && has_group)
                set_bare_user(a, uid, uid);
        else if (numeric)
                return err_set_at(e, ERR_INVALID, "/user", "user %u is not in passwd: say which group", uid);
        else
                return err_set_at(e, ERR_INVALID, "/user", "there is no user of this name");
        return 0;
}

static int resolve_group(const char *group, struct account *a, struct err *e)
{
        char buf[NSS_BUFFER];
        struct group gr, *found = NULL;
        uint32_t gid;

        if (parse_id(group, &gid)) {
                a->gid = gid;
                return 0;
        }
        getgrnam_r(group, &gr, buf, sizeof(buf), &found);
        if (!found)
                return err_set_at(e, ERR_INVALID, "/group", "there is no group of this name");
        a->gid = found->gr_gid;
        return 0;
}

static int resolve_groups(struct account *a, struct err *e)
{
        int n = ACCOUNT_GROUPS_MAX;

        if (getgrouplist(a->name, a->gid, a->groups, &n) < 0)
                return err_set_at(e, ERR_INVALID, "/user", "the user is in more than %d groups",
                                  ACCOUNT_GROUPS_MAX);
        a->groups_n = (uint32_t)n;
        return 0;
}

static bool has_privileged_server;

void account_has_privileged_server(void)
{
        has_privileged_server = true;
}

int account_lookup(const char *name, bool is_user, struct account *a, struct err *e)
{
        *a = (struct account){0};
        return is_user ? resolve_user(name, true, a, e) : resolve_group(name, a, e);
}

int account_resolve(const char *user, const char *group, struct account *a, struct err *e)
{
        bool may_switch = geteuid() == 0 || has_privileged_server;
        gid_t own_gid = getegid();

        *a = (struct account){0};
        if (resolve_user(user, group != NULL, a, e) < 0)
                return -1;
        if (!user && !group) {
                a->gid = own_gid;
                return 0;
        }
        if (group && resolve_group(group, a, e) < 0)
                return -1;
        if (!may_switch && (a->uid != geteuid() || a->gid != own_gid))
                return err_set_at(e, ERR_INVALID, user ? "/user" : "/group",
                                  "only a daemon that runs as root starts processes as somebody else");
        a->switches = may_switch;
        return a->switches ? resolve_groups(a, e) : 0;
}

const char *account_directory(const struct account *a)
{
        struct stat st;

        return stat(a->home, &st) == 0 && S_ISDIR(st.st_mode) ? a->home : "/";
}
