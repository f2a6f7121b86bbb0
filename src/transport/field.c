/* SPDX-License-Identifier: MIT */
#include "transport/field.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "transport/wire.h"

enum { TLS_HANDSHAKE = 0x16, CHUNK_DIGITS_MAX = 16 };

static bool is_token_char(char c)
{
        return c && (isalnum((unsigned char)c) || strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token(const char *s, size_t n)
{
        size_t i = 0;

        while (i < n && is_token_char(s[i]))
                i++;
        return i;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

void field_refuse_byte(char c, bool first, struct err *e)
{
        if (first && c == TLS_HANDSHAKE)
                err_set(e, ERR_BAD_REQUEST, 0, "this is TLS, and the server speaks plain HTTP");
        else if (c == '\n')
                err_set(e, ERR_BAD_REQUEST, 0, "a line feed without its carriage return");
        else if (!c)
                err_set(e, ERR_BAD_REQUEST, 0, "a NUL outside of the body");
        else
                err_set(e, ERR_BAD_REQUEST, 0, "a control character outside of the body");
}

/* "HTTP/1.1", or 1.0. */
static int parse_version(const char *s, size_t n, bool *old, struct err *e)
{
        if (n != 8 || strncmp(s, "HTTP/", 5) != 0 || !isdigit((unsigned char)s[5]) || s[6] != '.' ||
            !isdigit((unsigned char)s[7]))
                return err_set(e, ERR_BAD_REQUEST, 0, "the first line is not 'METHOD TARGET HTTP/1.1'");
        if (s[5] != '1' || s[7] > '1')
                return err_set(e, ERR_HTTP_VERSION, 0, "HTTP/1.1 is spoken here, not %.8s", s);
        *old = s[7] == '0';
        return 0;
}

int field_parse_first(char *s, size_t n, struct first_line *f, struct err *e)
{
        size_t method = token(s, n), target;

        if (!method || method == n || s[method] != ' ' || method > WIRE_METHOD_MAX)
                return err_set(e, ERR_BAD_REQUEST, 0, "the first line does not begin with a method");
        s += method + 1;
        n -= method + 1;
        for (target = 0; target < n && s[target] > ' ' && s[target] <= '~'; target++)
                ;
        if (target > WIRE_TARGET_MAX)
                return err_set(e, ERR_URI_TOO_LONG, 0, "the target is longer than %d bytes", WIRE_TARGET_MAX);
        if (target < n && s[target] != ' ')
                return err_set(e, ERR_BAD_REQUEST, 0, "the target has a character that must be encoded");
        if (!target || target == n)
                return err_set(e, ERR_BAD_REQUEST, 0, "the first line is not 'METHOD TARGET HTTP/1.1'");
        f->target = s;
        f->target_n = target;
        return parse_version(s + target + 1, n - target - 1, &f->old, e);
}

int field_parse(const char *s, size_t n, struct field *f, struct err *e)
{
        size_t name = token(s, n);

        if (is_blank(*s))
                return err_set(e, ERR_BAD_REQUEST, 0, "a header that is folded into two lines");
        if (!name || name == n || s[name] != ':')
                return err_set(e, ERR_BAD_REQUEST, 0, "a header without a valid name");
        *f = (struct field){.name = s, .name_n = name, .value = s + name + 1, .value_n = n - name - 1};
        while (f->value_n && is_blank(*f->value)) {
                f->value++;
                f->value_n--;
        }
        while (f->value_n && is_blank(f->value[f->value_n - 1]))
                f->value_n--;
        return 0;
}

bool field_is(const struct field *f, const char *name)
{
        return f->name_n == strlen(name) && !strncasecmp(f->name, name, f->name_n);
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int field_check_chunk(char first, struct err *e)
{
        return digit(first) >= 0 ? 0 : err_set(e, ERR_BAD_REQUEST, 0, "the size of a chunk is not valid");
}

int field_parse_chunk(const char *s, size_t n, uint64_t *size, struct err *e)
{
        size_t i;

        *size = 0;
        for (i = 0; i < n && digit(s[i]) >= 0; i++)
                *size = *size << 4 | (unsigned)digit(s[i]);
        if (!i || i > CHUNK_DIGITS_MAX || *size > INT64_MAX || (i < n && s[i] != ';'))
                return err_set(e, ERR_BAD_REQUEST, 0, "the size of a chunk is not valid");
        return 0;
}
