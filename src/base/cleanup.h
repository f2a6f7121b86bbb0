/* SPDX-License-Identifier: MIT */
/* base/cleanup.h
 * Ownership in the type of a variable: CLEANUP(fn) on an owned local, TAKE_PTR/TAKE_FD to give it away.
 */
#ifndef CRECHE_BASE_CLEANUP_H
#define CRECHE_BASE_CLEANUP_H

#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(p)                                                                                          \
        ({                                                                                                   \
                __typeof__(p) take_ptr_ = (p);                                                               \
                (p) = NULL;                                                                                  \
                take_ptr_;                                                                                   \
        })

#define TAKE_FD(fd)                                                                                          \
        ({                                                                                                   \
                int take_fd_ = (fd);                                                                         \
                (fd) = -1;                                                                                   \
                take_fd_;                                                                                    \
        })

/* The argument of CLEANUP for memory from malloc(). */
static inline void freep(void *p)
{
        free(*(void **)p);
}

#endif
