/* SPDX-License-Identifier: MIT */
/* base/list.h
 * An intrusive doubly linked list; the head is a node too. No lock of its own.
 */
#ifndef CRECHE_BASE_LIST_H
#define CRECHE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
        struct list *prev, *next;
};

#define LIST_INIT(head)                                                                                      \
        {                                                                                                    \
                &(head), &(head)                                                                             \
        }

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define list_for_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* @pos may be removed in the body. */
#define list_for_each_safe(pos, head)                                                                        \
        for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head);                        \
             pos = pos##_next, pos##_next = pos->next)

static inline void list_init(struct list *l)
{
        l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
        return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
        node->prev = head->prev;
        node->next = head;
        head->prev->next = node;
        head->prev = node;
}

/* Leaves @node as an empty list, so that removing it again does nothing. */
static inline void list_remove(struct list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        list_init(node);
}

/* The first node, taken out; NULL when there is none. */
static inline struct list *list_pop(struct list *head)
{
        struct list *node = head->next;

        if (node == head)
                return NULL;
        list_remove(node);
        return node;
}

/* Move all of @from to the end of @to. */
static inline void list_splice(struct list *to, struct list *from)
{
        if (list_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
}

#endif
