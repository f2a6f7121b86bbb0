/* SPDX-License-Identifier: MIT */
#include "model/caller.h"

#include <stdio.h>
#include <string.h>

bool caller_sees(const struct caller *c, const struct process *p)
{
        return !c->process || p->id == c->process || !strncmp(p->lineage, c->subtree, strlen(c->subtree));
}

int caller_may_run(const struct caller *c, const char *target, struct err *e)
{
        if (!*c->targets || (target && targets_have(c->targets, target)))
                return 0;
        return err_set(e, ERR_FORBIDDEN, 0, "%s may run what is made from these targets only: %s", c->who,
                       c->targets);
}

bool caller_is_parent(const struct caller *c, const struct process *p)
{
        return p->parent == c->process;
}

struct actor caller_actor(const struct caller *c)
{
        struct actor a = {.has_peer = c->has_peer, .uid = c->uid, .pid = c->pid};

        memcpy(a.who, c->who, sizeof(a.who));
        memcpy(a.address, c->address, sizeof(a.address));
        return a;
}

static const struct {
        enum scope scope;
        const char *name;
} scopes[] = {
        {SCOPE_READ, "read"}, {SCOPE_START, "start"},   {SCOPE_SIGNAL, "signal"},
        {SCOPE_LOGS, "logs"}, {SCOPE_DELETE, "delete"}, {SCOPE_ADMIN, "admin"},
};

enum { SCOPES_N = sizeof(scopes) / sizeof(scopes[0]) };

const char *scope_name(enum scope s)
{
        for (size_t i = 0; i < SCOPES_N; i++)
                if (scopes[i].scope == s)
                        return scopes[i].name;
        return "none";
}

unsigned scope_parse(const char *name)
{
        for (size_t i = 0; i < SCOPES_N; i++)
                if (!strcmp(scopes[i].name, name))
                        return scopes[i].scope;
        return 0;
}

const char *scopes_text(unsigned set, char *out)
{
        size_t n = 0;

        *out = '\0';
        for (size_t i = 0; i < SCOPES_N; i++)
                if (set & scopes[i].scope)
                        n += (size_t)snprintf(out + n, SCOPES_TEXT_MAX - n, "%s%s", n ? " " : "",
                                              scopes[i].name);
        return out;
}

unsigned scopes_parse(const char *text)
{
        unsigned set = 0;

        for (const char *s = text, *end; *s; s = end + strspn(end, " ")) {
                char word[16] = "";

                end = s + strcspn(s, " ");
                if ((size_t)(end - s) < sizeof(word)) {
                        memcpy(word, s, (size_t)(end - s));
                        set |= scope_parse(word);
                }
        }
        return set;
}
