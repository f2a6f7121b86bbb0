/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return (int64_t)ts.tv_sec * CLOCK_US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
        return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot_us(void)
{
        return read_clock(CLOCK_BOOTTIME);
}

const char *clock_text(int64_t us, char *out)
{
        time_t s = (time_t)(us / CLOCK_US_PER_S);
        struct tm tm;

        gmtime_r(&s, &tm);
        snprintf(out, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                 (unsigned)tm.tm_sec % 100, (unsigned)(us % CLOCK_US_PER_S) % 1000000);
        return out;
}

/* [.digits] after the seconds, in microseconds. */
static const char *parse_fraction(const char *s, int64_t *us)
{
        int64_t scale = CLOCK_US_PER_S / 10;

        *us = 0;
        if (*s != '.')
                return s;
        for (s++; isdigit((unsigned char)*s); s++, scale /= 10)
                *us += (*s - '0') * scale;
        return s;
}

static int parse_offset(const char *s, int *seconds)
{
        int h, m, n = 0;

        *seconds = 0;
        if ((*s == 'Z' || *s == 'z') && !s[1])
                return 0;
        if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &h, &m, &n) != 2 || n != 5 || s[6] ||
            h > 23 || m > 59)
                return -1;
        *seconds = (h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
        return 0;
}

int clock_parse(const char *s, int64_t *us)
{
        struct tm tm = {0};
        int64_t fraction;
        int n = 0, offset;
        time_t t;

        if (sscanf(s, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                   &tm.tm_min, &tm.tm_sec, &n) != 6 ||
            n != 19)
                return -1;
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
            tm.tm_min > 59 || tm.tm_sec > 60)
                return -1;
        s = parse_fraction(s + n, &fraction);
        if (parse_offset(s, &offset) < 0)
                return -1;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        t = timegm(&tm);
        *us = ((int64_t)t - offset) * CLOCK_US_PER_S + fraction;
        return 0;
}
