/* SPDX-License-Identifier: MIT */
#include "model/target.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool is_name(const char *s, const char *first, const char *all)
{
        size_t n = strlen(s);

        return n && n <= TARGET_NAME_MAX && strchr(first, *s) && strspn(s, all) == n;
}

bool target_name_is_valid(const char *name)
{
        return is_name(name, LETTERS DIGITS, LETTERS DIGITS "._-");
}

bool placeholder_name_is_valid(const char *name)
{
        return is_name(name, LETTERS "_", LETTERS DIGITS "_");
}

int template_next(const char **at, struct piece *out, struct err *e)
{
        const char *s = *at;
        size_t n = strcspn(s, "{}");

        if (!*s)
                return 0;
        if (n) {
                *out = (struct piece){.text = s, .n = n};
                *at = s + n;
                return 1;
        }
        if (s[1] == *s) { /* "{{" is "{" */
                *out = (struct piece){.text = s, .n = 1};
                *at = s + 2;
                return 1;
        }
        n = strcspn(s + 1, "{}");
        if (*s == '}' || !n || s[n + 1] != '}')
                return err_set(e, ERR_INVALID, 0,
                               "has a brace that is neither of a {placeholder} nor doubled");
        *out = (struct piece){.text = s + 1, .n = n, .is_placeholder = true};
        *at = s + n + 2;
        return 1;
}

bool targets_have(const char *list, const char *name)
{
        size_t n = strlen(name);

        for (const char *s = list, *end; *s; s = end + (*end == ' ')) {
                end = strchrnul(s, ' ');
                if ((size_t)(end - s) == n && !memcmp(s, name, n))
                        return true;
        }
        return false;
}

void targets_intersect(const char *a, const char *b, char *out)
{
        char *to = out;

        *to = '\0';
        for (const char *s = a, *end; *s; s = end + (*end == ' ')) {
                char name[TARGET_NAME_MAX + 1];
                size_t n;

                end = strchrnul(s, ' ');
                n = (size_t)(end - s);
                if (n > TARGET_NAME_MAX)
                        continue;
                memcpy(name, s, n);
                name[n] = '\0';
                if (!targets_have(b, name))
                        continue;
                if (to > out)
                        *to++ = ' ';
                to = stpcpy(to, name);
        }
}
