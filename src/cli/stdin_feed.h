/* SPDX-License-Identifier: MIT */
/* cli/stdin_feed.h
 * Our stdin, into that of a process.
 */
#ifndef CRECHE_CLI_STDIN_FEED_H
#define CRECHE_CLI_STDIN_FEED_H

#include "cli/client.h"

struct stdin_feed {
        struct exchange x;
        struct watch *watch;
        bool ended;
};

/** Begin to send our stdin to the process @id; @close: and its end as well. ->x.done says when all has been taken. */
void stdin_feed_begin(struct stdin_feed *d, struct client *c, int64_t id, bool close);
/** Returns 0, or -1 with @f set: what it failed with. */
int stdin_feed_finish(struct stdin_feed *d, struct fail *f);
void stdin_feed_done(struct stdin_feed *d);

#endif
