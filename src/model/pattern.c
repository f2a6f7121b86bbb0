/* SPDX-License-Identifier: MIT */
#include "model/pattern.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pattern that is gone through before regcomp() sees it. */
struct scan {
        const char *at;
        const char *wrong; /* what is, once something is */
        unsigned depth;
};

static unsigned long alternatives(struct scan *s, bool *empty);

/* Past "[...]", which begins at @s; NULL: it does not end. A "]" that comes first is one of its characters. */
static const char *skip_bracket(const char *s)
{
        s += s[1] == '^' ? 2 : 1;
        s += *s == ']';
        for (; *s && *s != ']'; s++) {
                const char end[] = {s[1], ']', '\0'};

                if (*s != '[' || !s[1] || !strchr(".=:", s[1]))
                        continue;
                s = strstr(s + 2, end); /* "[:alpha:]" */
                if (!s)
                        return NULL;
                s++;
        }
        return *s ? s + 1 : NULL;
}

static unsigned long group(struct scan *s, bool *empty)
{
        unsigned long n;

        if (++s->depth > PATTERN_GROUPS)
                s->wrong = "has too many groups within each other";
        s->at++;
        n = alternatives(s, empty);
        if (!s->wrong && *s->at++ != ')')
                s->wrong = "has a '(' without its ')'";
        s->depth--;
        return n + 1;
}

/* One character, or what stands for one, or a group: its size, and whether it can be nothing. */
static unsigned long atom(struct scan *s, bool *empty)
{
        if (*s->at == '(')
                return group(s, empty);
        *empty = *s->at == '^' || *s->at == '$';
        if (*s->at == '[') {
                const char *end = skip_bracket(s->at);

                if (!end)
                        s->wrong = "has a '[' without its ']'";
                s->at = end ?: s->at;
        } else if (*s->at == '\\') {
                if (!ispunct((unsigned char)s->at[1]))
                        s->wrong = "has a backslash that is not before a punctuation character";
                s->at += 2;
        } else if (strchr("*+?{", *s->at)) {
                s->wrong = "repeats nothing";
        } else {
                s->at++;
        }
        return 1;
}

/* "{m}", "{m,}" or "{m,n}" at s->at: how many copies are made for it. */
static unsigned long interval(struct scan *s, bool *optional, bool *endless)
{
        unsigned long least = 0, most = 0;
        char *end = (char *)s->at;

        if (isdigit((unsigned char)end[1]))
                most = least = strtoul(end + 1, &end, 10);
        if (end > s->at && *end == ',') {
                *endless = !isdigit((unsigned char)end[1]);
                most = *endless ? least + 1 : strtoul(end + 1, &end, 10);
                end += *end == ',';
        }
        if (end == s->at || *end != '}' || least > most) {
                s->wrong = "has a '{' that begins no repetition like {1,4}";
                return 1;
        }
        s->at = end + 1;
        *optional = !least;
        return most > PATTERN_WRITTEN_OUT ? PATTERN_WRITTEN_OUT + 1 : most ?: 1;
}

/* One of "*", "+", "?" and intervals at s->at: how many copies are made for it. regcomp() writes "a+" as "aa*". */
static unsigned long repetition(struct scan *s, bool *optional, bool *endless)
{
        const char c = *s->at;

        *optional = c == '*' || c == '?';
        *endless = c == '*' || c == '+';
        if (c == '{')
                return interval(s, optional, endless);
        s->at++;
        return c == '+' ? 2 : 1;
}

/* How many copies the repetitions at s->at make of what can be nothing, if *empty; that is told of the whole, too. */
static unsigned long repetitions(struct scan *s, bool *empty)
{
        unsigned long copies = 1;
        bool optional, endless;

        while (!s->wrong && *s->at && strchr("*+?{", *s->at)) {
                copies *= repetition(s, &optional, &endless);
                /* regcomp() goes round in it, in all ways that there are. */
                if (endless && *empty)
                        s->wrong = "repeats without end what can be empty";
                *empty |= optional;
                if (copies > PATTERN_WRITTEN_OUT)
                        s->wrong = "is too large when its repetitions are written out";
        }
        return copies;
}

/* "a|b", up to the end or the ')' of its group: its size, and whether it can be nothing. */
static unsigned long alternatives(struct scan *s, bool *empty)
{
        unsigned long size = 0, n;
        bool so_far = true, can_be;

        *empty = false;
        while (!s->wrong && *s->at && *s->at != ')') {
                if (*s->at == '|') {
                        s->at++;
                        size++;
                        *empty |= so_far;
                        so_far = true;
                        continue;
                }
                n = atom(s, &can_be);
                size += n * (s->wrong ? 1 : repetitions(s, &can_be));
                so_far &= can_be;
                if (!s->wrong && size > PATTERN_WRITTEN_OUT)
                        s->wrong = "is too large when its repetitions are written out";
        }
        *empty |= so_far;
        return size;
}

static int check(const char *text, struct err *e)
{
        struct scan s = {.at = text};
        bool empty;

        if (strlen(text) > PATTERN_MAX)
                return err_set(e, ERR_INVALID, 0, "is longer than %d bytes", PATTERN_MAX);
        alternatives(&s, &empty);
        if (!s.wrong && *s.at)
                s.wrong = "has a ')' without its '('";
        return s.wrong ? err_set(e, ERR_INVALID, 0, "%s", s.wrong) : 0;
}

int pattern_compile(const char *text, regex_t *out, struct err *e)
{
        char whole[PATTERN_MAX + sizeof("^()$")], why[128];
        regex_t regex;
        int rc;

        if (check(text, e) < 0)
                return -1;
        /* Its parentheses match, or "a)|(b" would be something else within these. */
        snprintf(whole, sizeof(whole), "^(%s)$", text);
        rc = regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB);
        if (rc) {
                regerror(rc, NULL, why, sizeof(why));
                return err_set(e, ERR_INVALID, 0, "is no extended regular expression: %s", why);
        }
        *out = regex;
        return 0;
}

int pattern_matches(const regex_t *pattern, const char *value, struct err *e)
{
        int rc = regexec(pattern, value, 0, NULL, 0);

        if (rc == 0 || rc == REG_NOMATCH)
                return rc == 0;
        return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
}
