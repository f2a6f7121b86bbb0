/* SPDX-License-Identifier: MIT */
#include "model/caller.h"

#include <string.h>

bool caller_sees(const struct caller *c, const struct process *p)
{
        return !c->process || p->id == c->process || !strncmp(p->lineage, c->subtree, strlen(c->subtree));
}

bool caller_is_parent(const struct caller *c, const struct process *p)
{
        return p->parent == c->process;
}
