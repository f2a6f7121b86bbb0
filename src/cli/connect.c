/* SPDX-License-Identifier: MIT */
#include "cli/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/strbuf.h"
#include "cli/text.h"

static void set_url(struct connection *c, const char *url)
{
        int n = snprintf(c->url_buf, sizeof(c->url_buf), "%s%s", strstr(url, "://") ? "" : "http://", url);

        while (n && c->url_buf[n - 1] == '/')
                c->url_buf[--n] = '\0';
        c->url = c->url_buf;
        *c->socket = '\0';
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

static int read_token(struct connection *c, const char *path, struct fail *f)
{
        struct strbuf quoted = {0};
        ssize_t n = fd_read_file(AT_FDCWD, path, c->token_buf, sizeof(c->token_buf));

        if (n < 0) {
                fail_usage(f, "cannot read the token in %s: %s", path, strerrordesc_np(errno));
                return fail_hint(f, "creche token mint NAME --scope read >%s", path);
        }
        c->token_buf[strcspn(c->token_buf, "\r\n")] = '\0';
        text_quote(&quoted, path);
        snprintf(c->token_in_buf, sizeof(c->token_in_buf), "$(cat %s)", strbuf_text(&quoted));
        strbuf_done(&quoted);
        c->token = c->token_buf;
        c->token_in = c->token_in_buf;
        return 0;
}

static void set_token(struct connection *c, const char *token, const char *in)
{
        if (!token || !*token)
                return;
        snprintf(c->token_buf, sizeof(c->token_buf), "%s", token);
        c->token = c->token_buf;
        c->token_in = in;
}

/* A process of Creche is that process, whatever files say. */
static int decide_token(struct connection *c, const struct settings *s, struct fail *f)
{
        const struct chosen *token = &s->chosen[SECTION_CRECHE][CRECHE_TOKEN],
                            *file = &s->chosen[SECTION_CRECHE][CRECHE_TOKEN_FILE];
        const char *own = getenv("CRECHE_AUTHKEY");

        if (token->text && token->origin >= file->origin)
                set_token(c, token->text, "$CRECHE_TOKEN");
        else if (own && *own && file->origin < ORIGIN_VARIABLE)
                set_token(c, own, "$CRECHE_AUTHKEY");
        else if (file->text)
                return read_token(c, file->text, f);
        return 0;
}

/* A child that runs as another user cannot open the socket it is told of, but use the address. */
static bool is_forbidden(const char *path)
{
        return access(path, W_OK) < 0 && errno == EACCES;
}

/* Whether to go by the address. */
static bool prefers_url(const struct connection *c, const struct chosen *socket, const struct chosen *url)
{
        if (!url->text || url->origin != socket->origin)
                return url->text && url->origin > socket->origin;
        return url->origin == ORIGIN_VARIABLE && c->token && is_forbidden(socket->text);
}

int connect_decide(struct connection *c, const struct settings *s, struct fail *f)
{
        const struct chosen *socket = &s->chosen[SECTION_CRECHE][CRECHE_SOCKET],
                            *url = &s->chosen[SECTION_CRECHE][CRECHE_URL];

        *c = (struct connection){0};
        if (decide_token(c, s, f) < 0)
                return -1;
        if (url->text && socket->origin == ORIGIN_OPTION && url->origin == ORIGIN_OPTION) {
                fail_usage(f, "--socket and --url exclude each other");
                return fail_hint(f, "say the one, or the other");
        }
        if (prefers_url(c, socket, url)) {
                set_url(c, url->text);
                return 0;
        }
        c->is_default = socket->origin == ORIGIN_DEFAULT;
        return set_socket(c, socket->text, f);
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
