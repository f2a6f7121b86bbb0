/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

enum { IN_FIRST = 4096, EVENTS = 256 };

static int dial(const char *path)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
                die(path);
        return fd;
}

void clients_open(struct clients *cs, const char *path, int n)
{
        *cs = (struct clients){
                .all = calloc((size_t)n, sizeof(*cs->all)), .n = n, .epoll = epoll_create1(EPOLL_CLOEXEC)};
        if (!cs->all || cs->epoll < 0)
                die("epoll_create1");
        for (int i = 0; i < n; i++) {
                struct client *c = &cs->all[i];
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

                c->fd = dial(path);
                c->in_size = IN_FIRST;
                c->in = malloc(c->in_size);
                if (!c->in || epoll_ctl(cs->epoll, EPOLL_CTL_ADD, c->fd, &e))
                        die("epoll_ctl");
        }
}

void clients_close(struct clients *cs)
{
        for (int i = 0; i < cs->n; i++) {
                close(cs->all[i].fd);
                free(cs->all[i].in);
        }
        free(cs->all);
        close(cs->epoll);
}

void client_send(struct clients *cs, struct client *c, const char *method, const char *target,
                 const char *body)
{
        size_t n = body ? strlen(body) : 0;
        int len = snprintf(c->head, sizeof(c->head),
                           "%s %s HTTP/1.1\r\nHost: creche\r\n%sContent-Length: %zu\r\n\r\n", method, target,
                           body ? "Content-Type: application/json\r\n" : "", n);
        struct iovec v[] = {{c->head, (size_t)len}, {(void *)(uintptr_t)body, n}};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = body ? 2 : 1};

        if (len < 0 || (size_t)len >= sizeof(c->head))
                die("a request is too long");
        c->since = now_s();
        /* It fits into the buffer of a connection that has nothing under way. */
        if (sendmsg(c->fd, &m, MSG_NOSIGNAL) != (ssize_t)((size_t)len + n))
                die("sendmsg");
        cs->waiting++;
}

/* The bytes of the answer that is coming in, as far as they are known: 0. */
static size_t answer_size(const struct client *c, size_t *head)
{
        const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
        const char *s = c->in;

        if (!end)
                return 0;
        *head = (size_t)(end + 4 - c->in);
        for (; s < end; s = strchr(s, '\n') + 1)
                if (!strncasecmp(s, "Content-Length:", 15))
                        return *head + strtoul(s + 15, NULL, 10);
        if (!strncmp(c->in + 9, "204", 3))
                return *head;
        errno = EPROTO;
        die("an answer without Content-Length");
}

static void grow(struct client *c)
{
        if (c->in_size - c->in_len > IN_FIRST / 2)
                return;
        c->in_size *= 2;
        c->in = realloc(c->in, c->in_size);
        if (!c->in)
                die("realloc");
}

static void take(struct clients *cs, struct client *c, answer_fn answer)
{
        size_t head = 0, size;
        ssize_t n;

        grow(c);
        n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len - 1, 0);
        if (n <= 0)
                die("the connection has ended");
        c->in_len += (size_t)n;
        c->in[c->in_len] = '\0';
        size = answer_size(c, &head);
        if (!size || c->in_len < size)
                return;
        c->in_len = 0;
        cs->waiting--;
        answer(c, atoi(c->in + 9), c->in + head, size - head);
}

void clients_run(struct clients *cs, answer_fn answer)
{
        struct epoll_event events[EVENTS];

        while (cs->waiting) {
                int n = epoll_wait(cs->epoll, events, EVENTS, -1);

                if (n < 0 && errno != EINTR)
                        die("epoll_wait");
                for (int i = 0; i < n; i++)
                        take(cs, events[i].data.ptr, answer);
        }
}

int64_t json_number(const char *body, const char *name)
{
        char key[64];
        const char *at;

        snprintf(key, sizeof(key), "\"%s\":", name);
        at = strstr(body, key);
        if (!at || sscanf(at + strlen(key), "%*[ ]%*1[0-9-]") < 0) {
                fprintf(stderr, "no %s in %s\n", name, body);
                exit(1);
        }
        return strtoll(at + strlen(key), NULL, 10);
}
