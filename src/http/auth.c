/* SPDX-License-Identifier: MIT */
#include "http/auth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

static void be_operator(struct caller *who)
{
        *who = (struct caller){.scopes = SCOPE_ALL};
}

/* The token of "Bearer TOKEN"; NULL: it is another scheme. */
static const char *bearer(const char *authorization)
{
        if (strncasecmp(authorization, "Bearer ", 7) != 0)
                return NULL;
        authorization += 7;
        return authorization + strspn(authorization, " ");
}

/* In a time that tells nothing of where two of the same length differ. */
static bool same_secret(const char *a, const char *b)
{
        size_t n = strlen(a);

        return n && n == strlen(b) && !gnutls_memcmp(a, b, n);
}

static int check_token(const struct http_config *c, const char *token, struct caller *who, struct err *e)
{
        if (!token || !*token)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "Authorization is not 'Bearer TOKEN'");
        if (!same_secret(token, c->token))
                return registry_authenticate(c->registry, token, who, e);
        be_operator(who);
        snprintf(who->who, sizeof(who->who), "the operator's token");
        return 0;
}

static int check_peer(const struct ucred *peer, struct caller *who, struct err *e)
{
        if (peer->uid != 0 && peer->uid != geteuid())
                return err_set(e, ERR_FORBIDDEN, 0, "uid %u may not call: the server runs as uid %u",
                               (unsigned)peer->uid, (unsigned)geteuid());
        be_operator(who);
        snprintf(who->who, sizeof(who->who), "uid %u", (unsigned)peer->uid);
        return 0;
}

void auth_note_address(int fd, struct caller *who)
{
        struct sockaddr_storage at;
        socklen_t n = sizeof(at);
        char host[INET6_ADDRSTRLEN], port[8];

        if (getpeername(fd, (struct sockaddr *)&at, &n) < 0 ||
            getnameinfo((struct sockaddr *)&at, n, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return;
        snprintf(who->address, sizeof(who->address), at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                 port);
}

static int check_on_unix(const struct http_config *c, const struct ucred *peer, const char *authorization,
                         struct caller *who, struct err *e)
{
        if ((authorization ? check_token(c, bearer(authorization), who, e) : check_peer(peer, who, e)) < 0)
                return -1;
        who->has_peer = true;
        who->uid = peer->uid;
        who->pid = peer->pid;
        return 0;
}

int auth_check(const struct http_config *c, const struct connection *from, const struct head *h, bool open,
               struct caller *who, struct err *e)
{
        const char *authorization = head_get(h, HEADER_AUTHORIZATION);

        if (h->headers[HEADER_AUTHORIZATION].n > 1)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "more than one Authorization");
        if (open && !from->is_unix) {
                *who = (struct caller){0};
                return 0;
        }
        if (from->is_unix)
                return check_on_unix(c, &from->client, authorization, who, e);
        if (!authorization)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "no token was sent");
        if (check_token(c, bearer(authorization), who, e) < 0)
                return -1;
        auth_note_address(from->fd, who);
        return 0;
}

int auth_may(const struct caller *who, unsigned scopes, struct err *e)
{
        unsigned lacks = scopes & ~who->scopes;

        if (!lacks)
                return 0;
        return err_set(e, ERR_FORBIDDEN, 0, "%s lacks the scope '%s'", who->who,
                       scope_name((enum scope)(lacks & -lacks)));
}
