/* SPDX-License-Identifier: MIT */
#include "http/members.h"

#include "base/clock.h"

void value_string_or_null(struct strbuf *b, const char *s)
{
        if (s)
                strbuf_json_str(b, s);
        else
                strbuf_str(b, "null");
}

void value_time(struct strbuf *b, int64_t us)
{
        char text[CLOCK_TEXT_MAX];

        value_string_or_null(b, us ? clock_text(us, text) : NULL);
}

void value_int_or_null(struct strbuf *b, bool has, int64_t v)
{
        if (has)
                strbuf_int(b, v);
        else
                strbuf_str(b, "null");
}

void value_bool(struct strbuf *b, int v)
{
        strbuf_str(b, v < 0 ? "null" : v ? "true" : "false");
}
