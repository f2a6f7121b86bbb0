/* SPDX-License-Identifier: MIT */
#include "http/base64.h"

#include <string.h>

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t base64_decode(const char *s, size_t n, void *out)
{
        unsigned char *to = out;
        size_t pad = 0;

        if (n % 4)
                return -1;
        while (pad < 2 && n > pad && s[n - pad - 1] == '=')
                pad++;
        for (size_t i = 0; i < n; i += 4) {
                size_t digits = i + 4 == n ? 4 - pad : 4;
                uint32_t v = 0;

                for (size_t k = 0; k < 4; k++) {
                        int d = k < digits ? digit(s[i + k]) : 0;

                        if (d < 0)
                                return -1;
                        v = v << 6 | (uint32_t)d;
                }
                /* The bits that the padding leaves over are 0. */
                if ((digits == 3 && v & 0xff) || (digits == 2 && v & 0xffff))
                        return -1;
                for (size_t k = 0; k + 1 < digits; k++)
                        *to++ = (unsigned char)(v >> (16 - 8 * k));
        }
        return to - (unsigned char *)out;
}

/* The id in base 64, as short as can be, behind a version. */
const char *cursor_text(int64_t id, char *out)
{
        char digits[CURSOR_MAX];
        size_t n = sizeof(digits);

        digits[--n] = '\0';
        for (uint64_t v = (uint64_t)id; v; v >>= 6)
                digits[--n] = url_alphabet[v & 63];
        out[0] = 'A';
        memcpy(out + 1, digits + n, sizeof(digits) - n);
        return out;
}

int64_t cursor_parse(const char *s)
{
        uint64_t id = 0;

        if (*s != 'A' || !s[1] || s[1] == 'A' || strlen(s) > 12)
                return 0;
        for (s++; *s; s++) {
                const char *at = strchr(url_alphabet, *s);

                if (!at)
                        return 0;
                if (id > INT64_MAX >> 6)
                        return 0;
                id = id << 6 | (uint64_t)(at - url_alphabet);
        }
        return (int64_t)id;
}
