/* SPDX-License-Identifier: MIT */
/* http/assets.h
 * Files that creched has in itself: the contract, and the page that shows it. Written by src/ui/embed, gzipped.
 *
 * Threads: any; no state.
 */
#ifndef CRECHE_HTTP_ASSETS_H
#define CRECHE_HTTP_ASSETS_H

#include <stddef.h>

enum asset_id {
        ASSET_OPENAPI,
        ASSET_DOCS,
        ASSET_DOCS_JS,
        ASSET_DOCS_CSS,
        /* Not in a build without the documentation page. */
        ASSET_SWAGGER_JS,
        ASSET_SWAGGER_CSS,
        ASSET_LICENSES,
        ASSET_COUNT,
};

struct asset {
        const unsigned char *gzip; /* NULL: this build is without it */
        size_t gzip_n;
        size_t size; /* of the file itself */
        const char *type;
        const char *tag; /* 128 bits of its SHA-256, as hexadecimal */
};

extern const struct asset assets[ASSET_COUNT];

#endif
