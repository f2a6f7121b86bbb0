/* SPDX-License-Identifier: MIT */
/* /openapi.json, and /docs, which shows it. The page holds no secret: everybody may have it, and it signs in. */
#include "http/handle.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "http/assets.h"
#include "http/encoding.h"
#include "http/reply.h"

/* Nothing from elsewhere, nothing that stands in the page itself, in nobody's frame. */
static const char PAGE_POLICY[] =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/* Who asks for a part by what it is will never get another one; who does not, asks each time. */
static const char *how_long(struct request *r, const struct asset *a)
{
        const char *version = query_get(&r->query, "v");

        if (r->route->scope)
                return "private, no-cache";
        return version && !strcmp(version, a->tag) ? "public, max-age=31536000, immutable" : "no-cache";
}

static void reply_gzip(struct request *r, const struct asset *a)
{
        reply_bytes(r, a->type, a->gzip, a->gzip_n);
        reply_header(r, "Content-Encoding", "gzip");
}

/* For the few who do not take gzip. It is unpacked once and kept: strangers may ask for it, on many connections, and
 * not read the answers. */
static const char *plain_of(enum asset_id id)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static struct strbuf plain[ASSET_COUNT];
        const struct asset *a = &assets[id];
        bool is;

        pthread_mutex_lock(&lock);
        is = plain[id].len || encoding_gunzip(a->gzip, a->gzip_n, a->size, &plain[id]);
        if (!is)
                strbuf_done(&plain[id]);
        pthread_mutex_unlock(&lock);
        return is ? plain[id].s : NULL;
}

static void reply_plain(struct request *r, enum asset_id id)
{
        const char *plain = plain_of(id);

        if (plain)
                reply_bytes(r, assets[id].type, plain, assets[id].size);
        else
                reply_refuse(r, ERR_INTERNAL, "out of memory");
}

static void reply_asset(struct request *r, enum asset_id id)
{
        const struct asset *a = &assets[id];
        bool gzip = encoding_takes_gzip(head_get(&r->head, HEADER_ACCEPT_ENCODING));
        char etag[ETAG_MAX];

        if (!a->gzip) {
                reply_refuse(r, ERR_NOT_FOUND, "this creched was built without the documentation page");
                return;
        }
        snprintf(etag, sizeof(etag), "\"%s%s\"", a->tag, gzip ? "-gzip" : "");
        if (etag_matches(head_get(&r->head, HEADER_IF_NONE_MATCH), etag))
                reply_empty(r, MHD_HTTP_NOT_MODIFIED);
        else if (gzip)
                reply_gzip(r, a);
        else
                reply_plain(r, id);
        if (r->status >= 400)
                return;
        reply_header(r, "ETag", etag);
        reply_header(r, "Vary", "Accept-Encoding");
        reply_header(r, "Cache-Control", how_long(r, a));
}

void handle_openapi(struct request *r)
{
        reply_asset(r, ASSET_OPENAPI);
}

void handle_docs(struct request *r)
{
        reply_asset(r, ASSET_DOCS);
        reply_header(r, "Content-Security-Policy", PAGE_POLICY);
        reply_header(r, "Cross-Origin-Opener-Policy", "same-origin");
}

void handle_docs_script(struct request *r)
{
        reply_asset(r, ASSET_DOCS_JS);
}

void handle_docs_style(struct request *r)
{
        reply_asset(r, ASSET_DOCS_CSS);
}

void handle_swagger_script(struct request *r)
{
        reply_asset(r, ASSET_SWAGGER_JS);
}

void handle_swagger_style(struct request *r)
{
        reply_asset(r, ASSET_SWAGGER_CSS);
}

void handle_docs_licenses(struct request *r)
{
        reply_asset(r, ASSET_LICENSES);
}
