/* SPDX-License-Identifier: MIT */
#include "http/encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/crypto.h>
#include <zlib.h>

/* The quality in the parameters of a coding, "; q=0.5"; 1 when there is none. */
static double quality(const char *s, const char *end)
{
        for (; s < end; s++) {
                if (*s != ';')
                        continue;
                s++;
                s += strspn(s, " \t");
                if (!strncasecmp(s, "q=", 2))
                        return strtod(s + 2, NULL);
                s--;
        }
        return 1;
}

bool encoding_takes_gzip(const char *accept)
{
        bool any = false;

        for (const char *s = accept, *end; s && *s; s = *end ? end + 1 : end) {
                size_t n;

                s += strspn(s, " \t");
                end = strchrnul(s, ',');
                n = strcspn(s, " \t;,");
                if ((n == 4 && !strncasecmp(s, "gzip", 4)) || (n == 6 && !strncasecmp(s, "x-gzip", 6)))
                        return quality(s, end) > 0;
                if (n == 1 && *s == '*')
                        any = quality(s, end) > 0;
        }
        return any;
}

bool encoding_names_type(const char *accept, const char *type)
{
        for (const char *s = accept, *end; s && *s; s = *end ? end + 1 : end) {
                size_t n;

                s += strspn(s, " \t");
                end = strchrnul(s, ',');
                n = strcspn(s, " \t;,");
                if (n == strlen(type) && !strncasecmp(s, type, n))
                        return quality(s, end) > 0;
        }
        return false;
}

bool encoding_gzip(const void *bytes, size_t n, struct strbuf *out)
{
        z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
        const int gzip = 16;
        size_t bound;
        int rc;

        /* The thread serves others as well: fast before small. */
        if (n > UINT32_MAX || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, gzip + MAX_WBITS, 8, 0) != Z_OK)
                return false;
        bound = deflateBound(&z, n);
        z.next_out = (Bytef *)strbuf_reserve(out, bound);
        z.avail_out = (uInt)bound;
        rc = z.next_out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
        if (rc == Z_STREAM_END)
                strbuf_commit(out, z.total_out);
        deflateEnd(&z);
        return rc == Z_STREAM_END;
}

bool encoding_gunzip(const void *bytes, size_t n, size_t size, struct strbuf *out)
{
        z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n, .avail_out = (uInt)size};
        const int gzip = 16;
        int rc;

        if (n > UINT32_MAX || size > UINT32_MAX || inflateInit2(&z, gzip + MAX_WBITS) != Z_OK)
                return false;
        z.next_out = (Bytef *)strbuf_reserve(out, size);
        rc = z.next_out ? inflate(&z, Z_FINISH) : Z_MEM_ERROR;
        if (rc == Z_STREAM_END)
                strbuf_commit(out, z.total_out);
        inflateEnd(&z);
        return rc == Z_STREAM_END && !z.avail_out;
}

void etag_text(const void *body, size_t n, bool gzipped, char *out)
{
        enum { SHOWN = 16 };
        unsigned char hash[32] = {0};
        char *to = out;

        gnutls_hash_fast(GNUTLS_DIG_SHA256, body, n, hash);
        *to++ = '"';
        for (int i = 0; i < SHOWN; i++)
                to += sprintf(to, "%02x", hash[i]);
        strcpy(to, gzipped ? "-gzip\"" : "\"");
}

/* The length of a tag without what tells the coding. */
static size_t stem(const char *tag, size_t n)
{
        const char coding[] = "-gzip\"";
        size_t k = sizeof(coding) - 1;

        return n > k && !memcmp(tag + n - k, coding, k) ? n - k : n - 1;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
        size_t etag_n = stem(etag, strlen(etag));

        for (const char *s = if_none_match, *end; s && *s; s = end) {
                s += strspn(s, " \t,");
                if (*s == '*')
                        return true;
                if (!strncmp(s, "W/", 2))
                        s += 2;
                end = *s == '"' ? strchr(s + 1, '"') : NULL;
                if (!end)
                        return false;
                end++;
                if (stem(s, (size_t)(end - s)) == etag_n && !memcmp(s, etag, etag_n))
                        return true;
        }
        return false;
}
