/* SPDX-License-Identifier: MIT */
/* base/secret.h
 * Memory that holds secrets (values of environments, tokens, what is for a stdin): neither a core dump nor the
 * next user of the same memory shall find them.
 *
 * Threads: any, but secret_process(): main, before the others.
 */
#ifndef CRECHE_BASE_SECRET_H
#define CRECHE_BASE_SECRET_H

#include <stddef.h>
#include <sys/resource.h>

/** This process leaves no core, for a file or for a program (core(5)), from now on, and when it is root's, nobody
 * without CAP_SYS_PTRACE can look into it. @had: the limit of before, to be given to its children. exec ends this,
 * but for the limit. */
void secret_process(struct rlimit *had);

/** As malloc(), realloc() without what it leaves behind, and free(): @n bytes at @p are wiped. NULL is fine. */
void *secret_grow(void *p, size_t n, size_t new_n);
void secret_free(void *p, size_t n);

/** The same for all that malloc() gave for @p, whatever was asked for. */
void secret_free_all(void *p);

/** The argument of CLEANUP for a string from malloc(). */
void secret_freep(char **s);

#endif
