/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum {
        SECONDS_PER_DAY = 86400,
        DAYS_PER_ERA = 146097, /* 400 years, after which the calendar repeats */
        DAYS_TO_1970 = 719468, /* from 0000-03-01 */
};

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

int64_t clock_after_us(int64_t earlier_us)
{
        int64_t now = clock_now_us();

        return now < earlier_us ? earlier_us : now;
}

int64_t clock_mono_us(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot_us(void)
{
        return read_clock(CLOCK_BOOTTIME);
}

/* Rounded down, as C does not. What remains is >= 0. */
static int64_t divide(int64_t v, int64_t by, int64_t *remains)
{
        *remains = v % by + (v % by < 0 ? by : 0);
        return v / by - (v % by < 0);
}

/* @v in @n digits, then @after. Returns what follows. */
static inline char *add_digits(char *to, unsigned v, int n, char after)
{
        for (int i = n - 1; i >= 0; i--, v /= 10)
                to[i] = (char)('0' + v % 10);
        to[n] = after;
        return to + n + 1;
}

/* The date that is @day days after 1970-01-01. A year that begins in March has its odd day at its end, and from there
 * its months begin at (153 * month + 2) / 5. */
static char *add_date(char *to, int64_t day)
{
        int64_t rest;
        const int64_t era = divide(day + DAYS_TO_1970, DAYS_PER_ERA, &rest);
        const unsigned of_era = (unsigned)rest;
        const unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
        const unsigned month = (5 * of_year + 2) / 153;

        divide(era * 400 + year + (month >= 10), 10000, &rest);
        to = add_digits(to, (unsigned)rest, 4, '-');
        to = add_digits(to, month < 10 ? month + 3 : month - 9, 2, '-');
        return add_digits(to, of_year - (153 * month + 2) / 5 + 1, 2, 'T');
}

const char *clock_text(int64_t us, char *out)
{
        int64_t fraction, rest;
        const int64_t day = divide(divide(us, CLOCK_US_PER_S, &fraction), SECONDS_PER_DAY, &rest);
        const unsigned second = (unsigned)rest;
        char *to = add_date(out, day);

        to = add_digits(to, second / 3600, 2, ':');
        to = add_digits(to, second / 60 % 60, 2, ':');
        to = add_digits(to, second % 60, 2, '.');
        *add_digits(to, (unsigned)fraction, 6, 'Z') = '\0';
        return out;
}

/* Whether @s begins as @shape does, where 0 stands for any digit: sscanf() takes signs and blanks too. */
static bool has_shape(const char *s, const char *shape)
{
        for (; *shape; s++, shape++)
                if (*shape == '0' ? !isdigit((unsigned char)*s) : *s != *shape)
                        return false;
        return true;
}

/* [.digits] after the seconds, in microseconds. NULL: no digit follows the point. */
static const char *parse_fraction(const char *s, int64_t *us)
{
        int64_t scale = CLOCK_US_PER_S / 10;

        *us = 0;
        if (*s != '.')
                return s;
        if (!isdigit((unsigned char)s[1]))
                return NULL;
        for (s++; isdigit((unsigned char)*s); s++, scale /= 10)
                *us += (*s - '0') * scale;
        return s;
}

static int parse_offset(const char *s, int *seconds)
{
        int h, m;

        *seconds = 0;
        if ((*s == 'Z' || *s == 'z') && !s[1])
                return 0;
        if ((*s != '+' && *s != '-') || !has_shape(s + 1, "00:00") || s[6])
                return -1;
        sscanf(s + 1, "%2d:%2d", &h, &m);
        if (h > 23 || m > 59)
                return -1;
        *seconds = (h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
        return 0;
}

static int days_of(int year, int month)
{
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return days[month - 1] + (month == 2 && leap);
}

int clock_parse(const char *s, int64_t *us)
{
        struct tm tm = {0};
        int64_t fraction;
        int offset;

        if (!has_shape(s, "0000-00-00") || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
            !has_shape(s + 11, "00:00:00"))
                return -1;
        sscanf(s, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec);
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
            tm.tm_mday > days_of(tm.tm_year, tm.tm_mon) || tm.tm_hour > 23 || tm.tm_min > 59 ||
            tm.tm_sec > 60)
                return -1;
        s = parse_fraction(s + 19, &fraction);
        if (!s || parse_offset(s, &offset) < 0)
                return -1;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        *us = ((int64_t)timegm(&tm) - offset) * CLOCK_US_PER_S + fraction;
        return 0;
}
