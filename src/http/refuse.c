/* SPDX-License-Identifier: MIT */
#include "http/refuse.h"

#include <sys/socket.h>
#include <time.h>

#include "base/strbuf.h"
#include "http/codec.h"

void refuse_at_once(int fd, const struct err *e)
{
        const struct err_info *info = err_info(e->kind);
        struct strbuf body = {0}, answer = {0};
        time_t now = time(NULL);
        char date[64];
        struct tm tm;

        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        codec_problem(&body, e, NULL);
        strbuf_printf(&answer,
                      "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\nContent-Length: %zu\r\n"
                      "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
                      "X-Content-Type-Options: nosniff\r\n%s\r\n",
                      info->status, info->title, date, body.len,
                      e->kind == ERR_TOO_MANY ? "Retry-After: 1\r\n" : "");
        strbuf_add(&answer, strbuf_text(&body), body.len);
        if (!strbuf_failed(&body) && !strbuf_failed(&answer))
                send(fd, strbuf_text(&answer), answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        strbuf_done(&body);
        strbuf_done(&answer);
}
