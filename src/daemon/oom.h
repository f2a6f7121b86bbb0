/* SPDX-License-Identifier: MIT */
/* daemon/oom.h
 * When memory runs out, the kernel shall kill children, one of which is what eats it, rather than those who
 * record how they end: creche-init and creched ask to be spared, and give children what they had themselves.
 */
#ifndef CRECHE_DAEMON_OOM_H
#define CRECHE_DAEMON_OOM_H

/** Ask to be spared, for us and for what we execute. What we had goes on in the environment. Nothing happens where
 * that is not permitted. */
void oom_protect(void);

/** What oom_protect() has replaced, taken out of the environment: as text, "" when nothing was. */
void oom_inherit(char out[8]);
/** The opposite, before we execute ourselves anew. */
void oom_hand_over(const char *had);

#endif
