/* SPDX-License-Identifier: MIT */
#include "http/codec.h"

#include "http/members.h"

void codec_audit(struct strbuf *b, const struct audit *a)
{
        add_int_or_null(b, "{\"id\":", true, a->id);
        add_time(b, ",\"at\":", a->at_us);
        add_string_or_null(b, ",\"who\":", a->who);
        add_int_or_null(b, ",\"uid\":", a->has_peer, a->uid);
        add_int_or_null(b, ",\"pid\":", a->pid, a->pid);
        add_string_or_null(b, ",\"address\":", a->address);
        add_string_or_null(b, ",\"verb\":", a->verb);
        add_int_or_null(b, ",\"process\":", a->process, a->process);
        add_int_or_null(b, ",\"token\":", a->token, a->token);
        add_string_or_null(b, ",\"detail\":", a->detail);
        add_string_or_null(b, ",\"outcome\":", a->outcome);
        strbuf_char(b, '}');
}
