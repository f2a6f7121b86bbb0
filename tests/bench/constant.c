/* SPDX-License-Identifier: MIT */
/* A yardstick: libmicrohttpd alone, which answers any request with the same JSON.
 *
 *   constant SOCKET BYTES     until stdin ends. Says READY when it serves.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_n, void **state)
{
        (void)url, (void)method, (void)version, (void)data;
        /* The body first, if there is one. */
        if (!*state) {
                *state = cls;
                return MHD_YES;
        }
        if (*data_n) {
                *data_n = 0;
                return MHD_YES;
        }
        return MHD_queue_response(c, MHD_HTTP_OK, cls);
}

static int listen_on(const char *path)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        unlink(path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096))
                die(path);
        return fd;
}

/* {"data":"xxx..."} */
static char *json_of(size_t n)
{
        static const char HEAD[] = "{\"data\":\"", TAIL[] = "\"}";
        size_t least = sizeof(HEAD) + sizeof(TAIL) - 2;
        char *s;

        if (n < least)
                n = least;
        s = malloc(n + 1);
        if (!s)
                die("malloc");
        memset(s, 'x', n);
        s[n] = '\0';
        memcpy(s, HEAD, sizeof(HEAD) - 1);
        memcpy(s + n - sizeof(TAIL) + 1, TAIL, sizeof(TAIL) - 1);
        return s;
}

int main(int argc, char **argv)
{
        struct MHD_Response *response;
        struct MHD_Daemon *daemon;
        char *json, c;

        if (argc != 3) {
                fprintf(stderr, "usage: constant SOCKET BYTES\n");
                return 2;
        }
        json = json_of(strtoul(argv[2], NULL, 10));
        response = MHD_create_response_from_buffer(strlen(json), json, MHD_RESPMEM_MUST_FREE);
        MHD_add_response_header(response, "Content-Type", "application/json");
        daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, response,
                                  MHD_OPTION_LISTEN_SOCKET, listen_on(argv[1]), MHD_OPTION_THREAD_POOL_SIZE,
                                  2u, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
        if (!daemon)
                die("MHD_start_daemon");
        puts("READY");
        fflush(stdout);
        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
        MHD_stop_daemon(daemon);
        MHD_destroy_response(response);
        return 0;
}
