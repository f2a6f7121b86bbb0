/* SPDX-License-Identifier: MIT */
#include "cli/connect.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/strbuf.h"
#include "cli/text.h"

static const char *option(const struct args *before, const struct args *a, const char *name)
{
        const char *v = args_get(a, name) ?: args_get(before, name);

        return v && *v ? v : NULL;
}

static const char *variable(const char *name)
{
        const char *v = getenv(name);

        return v && *v ? v : NULL;
}

static int set_url(struct connection *c, const char *url, struct fail *f)
{
        int n = snprintf(c->url_buf, sizeof(c->url_buf), "%s%s", strstr(url, "://") ? "" : "http://", url);

        if ((strncmp(c->url_buf, "http://", 7) != 0 && strncmp(c->url_buf, "https://", 8) != 0) ||
            n >= (int)sizeof(c->url_buf)) {
                fail_usage(f, "'%s' is no address of a creched", url);
                return fail_hint(f,
                                 "it looks like http://127.0.0.1:7117; 'creche info' on its machine says it");
        }
        while (n && c->url_buf[n - 1] == '/')
                c->url_buf[--n] = '\0';
        c->url = c->url_buf;
        *c->socket = '\0';
        return 0;
}

static int set_socket(struct connection *c, const char *path, struct fail *f)
{
        c->url = NULL;
        snprintf(c->socket, sizeof(c->socket), "%s", path);
        if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return 0;
        fail_usage(f, "the path of the socket is too long: %s", path);
        return fail_hint(f, "a unix socket has at most %zu bytes",
                         sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
}

static int set_token(struct connection *c, const char *given, struct fail *f)
{
        const char *token = given ?: variable("CRECHE_TOKEN") ?: variable("CRECHE_AUTHKEY");

        c->token_in = given || variable("CRECHE_TOKEN") ? "$CRECHE_TOKEN" : "$CRECHE_AUTHKEY";
        if (!token)
                return 0;
        if (strlen(token) >= sizeof(c->token_buf) || strpbrk(token, "\r\n")) {
                fail_usage(f, "what is given as a token is none");
                return fail_hint(f, "'creche token mint NAME --scope read' makes one");
        }
        c->token = strcpy(c->token_buf, token);
        return 0;
}

/* A child that runs as another user cannot open the socket it is told of, but use the address. */
static bool is_forbidden(const char *path)
{
        return access(path, W_OK) < 0 && errno == EACCES;
}

int connect_decide(struct connection *c, const struct args *before, const struct args *a, struct fail *f)
{
        const char *socket = option(before, a, "socket"), *url = option(before, a, "url");
        const char *socket_env = variable("CRECHE_SOCKET"), *url_env = variable("CRECHE_URL");

        *c = (struct connection){0};
        if (set_token(c, option(before, a, "token"), f) < 0)
                return -1;
        if (socket && url) {
                fail_usage(f, "--socket and --url exclude each other");
                return fail_hint(f, "say the one, or the other");
        }
        if (socket)
                return set_socket(c, socket, f);
        if (url)
                return set_url(c, url, f);
        if (socket_env && !(url_env && c->token && is_forbidden(socket_env)))
                return set_socket(c, socket_env, f);
        if (url_env)
                return set_url(c, url_env, f);
        c->is_default = true;
        paths_socket(c->socket);
        return 0;
}

static int refuse_url(const struct connection *c, const char *curl_says, struct fail *f)
{
        fail_set(f, ERR_UNAVAILABLE, 0, "no answer from %s: %s", c->url, curl_says);
        return fail_hint(
                f, "on its machine 'creche info' says where the daemon listens; without --url and CRECHE_URL "
                   "its unix socket is asked");
}

static void hint_start(const struct connection *c, struct fail *f)
{
        struct strbuf b = {0};

        strbuf_str(&b, "start it: creche serve -d");
        if (!c->is_default) {
                strbuf_str(&b, " --socket ");
                text_quote(&b, c->socket);
        }
        if (c->is_default && geteuid() != 0 && access(PATHS_SYSTEM_SOCKET, F_OK) == 0)
                strbuf_str(&b, "   (that of root is there: sudo creche ...)");
        fail_hint(f, "%s", strbuf_text(&b));
        strbuf_done(&b);
}

static void hint_permission(const struct connection *c, struct fail *f)
{
        const struct passwd *pw;
        struct stat st;

        pw = stat(c->socket, &st) == 0 ? getpwuid(st.st_uid) : NULL;
        fail_hint(f,
                  "it is for %s only: sudo -u %s creche ..., or by TCP with a token: --url URL and "
                  "CRECHE_TOKEN",
                  pw ? pw->pw_name : "its owner and root", pw ? pw->pw_name : "root");
}

int connect_refuse(const struct connection *c, int errnum, const char *curl_says, struct fail *f)
{
        if (c->url) {
                refuse_url(c, curl_says, f);
        } else if (access(c->socket, F_OK) < 0 && errno != EACCES) {
                fail_set(f, ERR_UNAVAILABLE, 0, "no daemon: there is no socket %s", c->socket);
                hint_start(c, f);
        } else if (errnum == EACCES || is_forbidden(c->socket)) {
                fail_set(f, ERR_UNAVAILABLE, 0, "no daemon: permission denied for the socket %s", c->socket);
                hint_permission(c, f);
        } else {
                fail_set(f, ERR_UNAVAILABLE, 0, "no daemon: nobody listens on the socket %s%s%s", c->socket,
                         errnum && errnum != ECONNREFUSED ? ": " : "",
                         errnum && errnum != ECONNREFUSED ? strerrordesc_np(errnum) : "");
                hint_start(c, f);
        }
        f->status = EXIT_NO_DAEMON;
        return -1;
}
