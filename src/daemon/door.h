/* SPDX-License-Identifier: MIT */
/* daemon/door.h
 * The name of the unix socket in the file system. Somebody may remove it: a cleaner of /run, a careless rm. The
 * socket goes on, and creche-init holds it, but nobody finds it any more; and a new one could not replace it there.
 * So it has a second name beside the first, from which the first one is made anew.
 *
 * Threads: main.
 */
#ifndef CRECHE_DAEMON_DOOR_H
#define CRECHE_DAEMON_DOOR_H

/** Give the socket at @path its second name. Where that cannot be, the first one is all there is. */
void door_keep(const char *path);

/** An inotify file that becomes readable when somebody has removed the socket, perhaps; -1: there is none. The
 * caller's. Makes the name anew at once if it is missing. */
int door_watch(const char *path);

/** It became readable: make the name anew if it is missing. */
void door_mend(int watch, const char *path);

/** Remove both names. */
void door_remove(const char *path);

#endif
