/* SPDX-License-Identifier: MIT */
#include "settings/setting.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"

/* The shortest time that is a limit, not a mistake. */
#define LEAST_US 10000

int setting_find(enum section section, const char *name)
{
        for (int i = 0; i < setting_lists[section].n; i++)
                if (!strcmp(setting_lists[section].settings[i].name, name))
                        return i;
        return -1;
}

const char *setting_value(const struct setting *s)
{
        return s->value ?: "yes|no";
}

void setting_variable(const struct setting *s, char out[VARIABLE_MAX])
{
        snprintf(out, VARIABLE_MAX, "CRECHE_%s", s->name);
        for (char *c = out; *c; c++)
                *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

void setting_add_default(const struct setting *s, struct strbuf *out)
{
        const char *text = s->otherwise ?: s->fallback;

        if (text && s->kind != SETTING_SWITCH)
                strbuf_printf(out, " (%s)", text);
}

/* ------------------------------------------------------------------------------------------- the kinds */

int setting_path(const char *text, char out[PATH_MAX])
{
        char cwd[PATH_MAX] = "";
        int n;

        if (!*text || (*text != '/' && !getcwd(cwd, sizeof(cwd))))
                return -1;
        n = snprintf(out, PATH_MAX, "%s%s%s", *text == '/' ? "" : cwd, *text == '/' ? "" : "/", text);
        return n < PATH_MAX ? 0 : -1;
}

/* HOST:PORT or [HOST]:PORT, with a port in decimal. */
static bool is_address(const char *text)
{
        const char *colon = strrchr(text, ':');
        size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

        if (!strcmp(text, "none"))
                return true;
        if (!colon || colon == text || digits < 1 || digits > 5 || colon[1 + digits] ||
            atoi(colon + 1) > 65535 || strlen(text) >= SETTING_ADDRESS_MAX)
                return false;
        if (*text == '[')
                return colon[-1] == ']' && colon - text > 2;
        return !memchr(text, ':', (size_t)(colon - text));
}

/* Of HTTP, which needs not be said. */
static bool is_url(const char *text)
{
        const char *scheme = strstr(text, "://");

        return *text && strlen(text) < SETTING_URL_MAX &&
               (!scheme || !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8));
}

/* A token goes into a header. */
static bool is_secret(const char *text)
{
        return *text && strlen(text) < SETTING_SECRET_MAX && !strpbrk(text, "\r\n");
}

static bool is_name(const char *text)
{
        return *text && strlen(text) < SETTING_NAME_MAX;
}

/* The place of @text among "a|b|c"; -1: it is none of these. */
static int word_number(const char *words, const char *text)
{
        size_t n = strlen(text);

        for (int i = 0;; i++) {
                size_t length = strcspn(words, "|");

                if (length == n && !strncmp(words, text, n))
                        return i;
                if (!words[length])
                        return -1;
                words += length + 1;
        }
}

static int read_number(const struct setting *s, const char *text, int64_t *out)
{
        return number_parse(text, s->min, s->max, out);
}

static int read_time(const struct setting *s, const char *text, int64_t *out)
{
        char *end;
        double v = strtod(text, &end);

        if (!isdigit((unsigned char)*text) || *end || !isfinite(v) || v > (double)s->max)
                return -1;
        *out = (int64_t)(v * CLOCK_US_PER_S);
        return 0;
}

/* "90d", "12h"; without a unit seconds. */
static int read_age(const struct setting *s, const char *text, int64_t *out)
{
        static const struct {
                char name;
                int64_t seconds;
        } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
        size_t digits = strspn(text, "0123456789");
        int64_t seconds = 0;

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if ((text[digits] == units[i].name && !text[digits + 1]) || (i == 0 && !text[digits]))
                        seconds = units[i].seconds;
        if (!digits || digits > 10 || !seconds)
                return -1;
        seconds *= strtoll(text, NULL, 10);
        if (seconds < s->min || seconds > s->max)
                return -1;
        *out = seconds * CLOCK_US_PER_S;
        return 0;
}

/* @word stands for @v; all else is what @read reads. */
static int read_or(const char *word, int64_t v, const struct setting *s, const char *text, int64_t *out,
                   int (*read)(const struct setting *s, const char *text, int64_t *out))
{
        if (strcmp(text, word) != 0)
                return read(s, text, out);
        *out = v;
        return 0;
}

int setting_number(const struct setting *s, const char *text, int64_t *out)
{
        int rc = -1, n;

        switch (s->kind) {
        case SETTING_WORD:
        case SETTING_YES:
        case SETTING_SWITCH:
                n = word_number(s->kind == SETTING_WORD ? s->value : "no|yes", text);
                *out = n;
                rc = n < 0 ? -1 : 0;
                break;
        case SETTING_NUMBER: rc = read_number(s, text, out); break;
        case SETTING_TIME: rc = read_time(s, text, out) < 0 || *out < LEAST_US ? -1 : 0; break;
        case SETTING_LIMIT: rc = read_or("none", -1, s, text, out, read_time); break;
        case SETTING_COUNT: rc = read_or("all", 0, s, text, out, read_number); break;
        case SETTING_AGE: rc = read_or("forever", 0, s, text, out, read_age); break;
        case SETTING_PATH:
        case SETTING_ADDRESS:
        case SETTING_URL:
        case SETTING_NAME:
        case SETTING_SECRET: break;
        }
        return rc;
}

static bool is_valid(const struct setting *s, const char *text)
{
        char path[PATH_MAX];
        int64_t number;

        switch (s->kind) {
        case SETTING_PATH: return setting_path(text, path) == 0;
        case SETTING_ADDRESS: return is_address(text);
        case SETTING_URL: return is_url(text);
        case SETTING_NAME: return is_name(text);
        case SETTING_SECRET: return is_secret(text);
        case SETTING_WORD:
        case SETTING_YES:
        case SETTING_SWITCH:
        case SETTING_NUMBER:
        case SETTING_TIME:
        case SETTING_LIMIT:
        case SETTING_COUNT:
        case SETTING_AGE: return setting_number(s, text, &number) == 0;
        }
        return false;
}

int setting_check(const struct setting *s, const char *text, const char *where, struct err *e)
{
        if (is_valid(s, text))
                return 0;
        if (s->kind == SETTING_SECRET)
                return err_set(e, ERR_INVALID, 0, "%s: not a %s", where, setting_value(s));
        return err_set(e, ERR_INVALID, 0, "%s: not a %s: '%s'", where, setting_value(s), text);
}
