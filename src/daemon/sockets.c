/* SPDX-License-Identifier: MIT */
#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "daemon/door.h"

enum { BACKLOG = 4096, FIRST_FD = 3, ABOVE = 10, LOCK_TRIES = 50, LOCK_NAP_MS = 20 };

/* mkdir -p, each new one 0700 and @owner's. */
static int make_dirs(const char *path, const struct account *owner, struct err *e)
{
        char part[PATH_MAX];

        for (const char *p = path + 1;; p++) {
                if (*p && *p != '/')
                        continue;
                snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
                if (mkdir(part, 0700) < 0) {
                        if (errno != EEXIST)
                                return err_set(e, ERR_INTERNAL, errno, "making %s", part);
                } else if (owner && lchown(part, owner->uid, owner->gid) < 0) {
                        return err_set(e, ERR_INTERNAL, errno, "giving %s to %s", part, owner->name);
                }
                if (!*p)
                        return 0;
        }
}

static void folder_of(const char *path, char out[PATH_MAX])
{
        snprintf(out, PATH_MAX, "%s", path);
        *strrchr(out, '/') = '\0';
}

int sockets_make_dirs(const struct config *c, const struct account *owner, struct err *e)
{
        char dir[PATH_MAX];

        folder_of(c->socket_path, dir);
        if (make_dirs(c->state_dir, owner, e) < 0)
                return -1;
        return *dir ? make_dirs(dir, owner, e) : 0;
}

/* A child that a dead daemon had just forked may hold the lock for another moment. */
static int lock_file(int fd)
{
        const struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};

        for (int i = 0; i < LOCK_TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK)
                        return -1;
                nanosleep(&nap, NULL);
        }
        errno = EWOULDBLOCK;
        return -1;
}

int sockets_lock(const struct config *c, int *lock, struct err *e)
{
        CLEANUP(closep) int dir = -1;
        CLEANUP(closep) int fd = -1;

        /* What is in there is as good as the operator's token. */
        if ((dir = beneath_root(c->state_dir, e)) < 0)
                return -1;
        /* For reading: who only holds a lock must not keep the file system from being made read-only. */
        fd = beneath_open_own(dir, "lock", O_RDONLY | O_CREAT, 0600);
        if (fd < 0)
                return beneath_fail(e, "opening", "lock");
        if (lock_file(fd) < 0)
                return err_set(e, errno == EWOULDBLOCK ? ERR_TRY_AGAIN : ERR_INTERNAL,
                               errno == EWOULDBLOCK ? 0 : errno, "another creched serves %s", c->state_dir);
        *lock = TAKE_FD(fd);
        return 0;
}

static int unix_address(const char *path, struct sockaddr_un *a, struct err *e)
{
        *a = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(a->sun_path))
                return err_set(e, ERR_INVALID, 0, "the path of the socket is longer than %zu bytes: %s",
                               sizeof(a->sun_path) - 1, path);
        strcpy(a->sun_path, path);
        return 0;
}

/* Somebody may serve there with another state directory. */
static int remove_stale(const struct sockaddr_un *a, struct err *e)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct stat st;

        if (fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
                return err_set(e, ERR_TRY_AGAIN, 0, "another server listens on %s", a->sun_path);
        if (lstat(a->sun_path, &st) < 0)
                return 0;
        if (!S_ISSOCK(st.st_mode))
                return err_set(e, ERR_INVALID, 0, "%s is there and is no socket", a->sun_path);
        if (unlink(a->sun_path) < 0)
                return err_set(e, ERR_INTERNAL, errno, "removing %s", a->sun_path);
        return 0;
}

/* Whoever may rename what is in there may put a socket of his own in the place of ours. The folder above it
 * counts as well: the default for a user without a runtime folder is /tmp/creche-UID/creche. */
static int check_socket_dir(const char *path, struct err *e)
{
        char dir[PATH_MAX];
        struct stat st;
        char *slash;

        snprintf(dir, sizeof(dir), "%s", path);
        for (int i = 0; i < 2 && *dir; i++) {
                if (lstat(dir, &st) < 0)
                        return err_set(e, ERR_INTERNAL, errno, "looking at %s", dir);
                if (!S_ISLNK(st.st_mode) && ((st.st_uid != geteuid() && st.st_uid != 0) ||
                                             ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))))
                        return err_set(e, ERR_INVALID, 0,
                                       "others can change what is in %s: no place for a socket", dir);
                if (S_ISLNK(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
                        return err_set(e, ERR_INVALID, 0, "%s is a link of uid %u", dir, st.st_uid);
                slash = strrchr(dir, '/');
                *slash = '\0';
        }
        return 0;
}

static int listen_unix(const char *path, struct err *e)
{
        CLEANUP(closep) int fd = -1;
        struct sockaddr_un a;
        char dir[PATH_MAX];
        mode_t old;
        int rc;

        folder_of(path, dir);
        if (unix_address(path, &a, e) < 0 || (*dir && check_socket_dir(dir, e) < 0))
                return -1;
        if (faccessat(AT_FDCWD, *dir ? dir : "/", W_OK | X_OK, AT_EACCESS) < 0)
                return err_set(e, ERR_INVALID, errno,
                               "uid %u cannot make a socket in %s: chown it, or say --socket", geteuid(),
                               dir);
        if (remove_stale(&a, e) < 0)
                return -1;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_set(e, ERR_INTERNAL, errno, "making a socket");
        old = umask(0177);
        rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
        umask(old);
        if (rc < 0 || listen(fd, BACKLOG) < 0)
                return err_set(e, ERR_INTERNAL, errno, "listening on %s", path);
        return TAKE_FD(fd);
}

static int bind_tcp(const struct addrinfo *ai)
{
        CLEANUP(closep) int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int one = 1;

        if (fd < 0)
                return -1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
                return -1;
        return TAKE_FD(fd);
}

/* "[::1]:7117" or "127.0.0.1:7117". */
static int listen_tcp(const char *address)
{
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                        *found = NULL;
        const char *colon = strrchr(address, ':');
        const char *host = address;
        int n = (int)(colon - address), fd = -1, rc;
        char name[256];

        if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
                host++;
                n -= 2;
        }
        snprintf(name, sizeof(name), "%.*s", n, host);
        rc = getaddrinfo(name, colon + 1, &hints, &found);
        if (rc) {
                log_error("listen.failed", "address=%s error=%s", log_quote(address),
                          log_quote(gai_strerror(rc)));
                return -1;
        }
        for (struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next)
                fd = bind_tcp(ai);
        if (fd < 0)
                log_error("listen.failed", "address=%s error=%s detail=%s", log_quote(address),
                          log_quote(strerrordesc_np(errno)), log_quote("serving on the unix socket only"));
        freeaddrinfo(found);
        return fd;
}

int sockets_open(const struct config *c, struct sockets *s, struct err *e)
{
        s->unix_fd = listen_unix(c->socket_path, e);
        if (s->unix_fd < 0)
                return -1;
        door_keep(c->socket_path);
        return 0;
}

int sockets_open_tcp(const struct config *c, struct sockets *s, struct err *e)
{
        s->tcp_fd = *c->listen ? listen_tcp(c->listen) : -1;
        return sockets_check_plain(c, s, e);
}

/* By the address itself, not by the name that it was given as. */
static bool is_loopback(int fd)
{
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } a = {0};
        socklen_t n = sizeof(a);

        if (getsockname(fd, &a.any, &n) < 0)
                return false;
        if (a.any.sa_family == AF_INET)
                return ntohl(a.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        return a.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}

int sockets_check_plain(const struct config *c, const struct sockets *s, struct err *e)
{
        if (s->tcp_fd < 0 || *c->tls_cert || c->insecure_http || is_loopback(s->tcp_fd))
                return 0;
        return err_set(
                e, ERR_INVALID, 0,
                "listen %s: others could read the tokens in plain HTTP; say --tls-cert and --tls-key, or "
                "--insecure-http yes where something else encrypts",
                c->listen);
}

int sockets_hand_over(struct sockets *s, struct err *e)
{
        int fds[] = {s->lock, s->unix_fd, s->tcp_fd};
        int n = s->tcp_fd >= 0 ? 3 : 2;
        char text[32];

        for (int i = 0; i < n; i++)
                if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE)) < 0)
                        return err_set(e, ERR_INTERNAL, errno, "handing over a socket");
        for (int i = 0; i < n; i++)
                if (dup2(fds[i], FIRST_FD + i) < 0)
                        return err_set(e, ERR_INTERNAL, errno, "handing over a socket");
        snprintf(text, sizeof(text), "%d", n);
        setenv("LISTEN_FDS", text, 1);
        setenv("LISTEN_FDNAMES", n == 3 ? "lock:unix:tcp" : "lock:unix", 1);
        snprintf(text, sizeof(text), "%d", (int)getpid());
        setenv("LISTEN_PID", text, 1);
        return 0;
}

static void assign(struct sockets *s, const char *name, size_t n, int fd)
{
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return;
        if (n == 4 && !strncmp(name, "lock", n))
                s->lock = fd;
        else if (n == 4 && !strncmp(name, "unix", n))
                s->unix_fd = fd;
        else if (n == 3 && !strncmp(name, "tcp", n))
                s->tcp_fd = fd;
}

int sockets_inherit(struct sockets *s, struct err *e)
{
        const char *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
        int n = count ? atoi(count) : 0;

        *s = (struct sockets){-1, -1, -1};
        for (int i = 0; i < n && names && *names; i++) {
                size_t len = strcspn(names, ":");

                assign(s, names, len, FIRST_FD + i);
                names += len + (names[len] == ':');
        }
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_FDNAMES");
        unsetenv("LISTEN_PID");
        if (s->lock < 0 || s->unix_fd < 0)
                return err_set(e, ERR_INVALID, 0, "creche-init has handed over no sockets");
        return 0;
}

int sockets_address(int fd, char *out, size_t size)
{
        struct sockaddr_storage a;
        socklen_t n = sizeof(a);
        char host[128], port[16];

        if (getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
            getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV))
                return -1;
        snprintf(out, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
        return 0;
}
