/* SPDX-License-Identifier: MIT */
#include "http/members.h"

#include "base/clock.h"

void add_string_or_null(struct strbuf *b, const char *key, const char *s)
{
        strbuf_str(b, key);
        if (s)
                strbuf_json_str(b, s);
        else
                strbuf_str(b, "null");
}

void add_time(struct strbuf *b, const char *key, int64_t us)
{
        char text[CLOCK_TEXT_MAX];

        add_string_or_null(b, key, us ? clock_text(us, text) : NULL);
}

void add_int_or_null(struct strbuf *b, const char *key, bool has, int64_t v)
{
        strbuf_str(b, key);
        if (has)
                strbuf_int(b, v);
        else
                strbuf_str(b, "null");
}

void add_bool(struct strbuf *b, const char *key, int v)
{
        strbuf_str(b, key);
        strbuf_str(b, v < 0 ? "null" : v ? "true" : "false");
}
