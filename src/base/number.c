/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

int number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
        char *end;
        long long v;

        /* strtoll() also takes spaces and a '+' before it. */
        if (!isdigit((unsigned char)text[min < 0 && *text == '-']))
                return -1;
        errno = 0;
        v = strtoll(text, &end, 10);
        if (*end || errno || v < min || v > max)
                return -1;
        *out = v;
        return 0;
}
