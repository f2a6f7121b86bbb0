/* SPDX-License-Identifier: MIT */
/* cli/sse.h
 * What happens, from now on: the API's Server-Sent Events, over restarts of the daemon, nothing twice and nothing left out.
 */
#ifndef CRECHE_CLI_SSE_H
#define CRECHE_CLI_SSE_H

#include "cli/client.h"

struct sse {
        struct exchange x;
        struct strbuf held; /* of a line that is not complete */
        /* An event; NULL: some are not kept any more, look at the processes. -1: no more, f is set. */
        int (*event)(void *arg, json_t *event, struct fail *f);
        void *arg;
};

/** Follow those of @query ("&type=..." or ""), after @since (NULL: from now on). ->event and ->arg are set afterwards,
 * before the next turn of @c. */
void sse_begin(struct sse *s, struct client *c, const char *since, const char *query);
void sse_done(struct sse *s);

#endif
