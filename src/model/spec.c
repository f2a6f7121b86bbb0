/* SPDX-License-Identifier: MIT */
#include "model/spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static void free_strings(char **strings)
{
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
}

void spec_free(struct spec *s)
{
        if (!s)
                return;
        free_strings(s->argv);
        for (char **env = s->env; env && *env; env++)
                secret_free_all(*env);
        free(s->env);
        free(s->target);
        free(s->name);
        free(s->identity);
        free(s->cwd);
        free(s->user);
        free(s->group);
        secret_free(s->stdin_bytes, s->stdin_len);
        free(s->argv_json);
        free(s->env_json);
        free(s->labels_json);
        free(s);
}

void spec_freep(struct spec **s)
{
        spec_free(*s);
}

bool identity_extends(const char *child, const char *parent)
{
        size_t n = strlen(parent), digits;

        if (n) {
                if (strncmp(child, parent, n) != 0 || child[n] != ':')
                        return false;
                n++;
        }
        digits = strspn(child + n, "0123456789");
        return digits >= 1 && digits <= 18 && child[n] != '0' && !child[n + digits];
}

int rlimit_parse(const char *name)
{
        static const struct {
                const char *name;
                int resource;
        } all[] = {
                {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
                {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
                {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
                {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
                {"stack", RLIMIT_STACK},
        };

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                if (!strcmp(all[i].name, name))
                        return all[i].resource;
        return -1;
}
