/* SPDX-License-Identifier: MIT */
#include "base/paths.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void default_path(char out[PATH_MAX], const char *variable, const char *fallback, const char *leaf)
{
        const char *base = getenv(variable), *home = getenv("HOME");
        const struct passwd *pw;

        if (base && *base == '/')
                snprintf(out, PATH_MAX, "%s/%s", base, leaf);
        else if (*fallback == '/')
                snprintf(out, PATH_MAX, "%s/%s", fallback, leaf);
        else if (home && *home == '/')
                snprintf(out, PATH_MAX, "%s/%s/%s", home, fallback, leaf);
        else if ((pw = getpwuid(geteuid())))
                snprintf(out, PATH_MAX, "%s/%s/%s", pw->pw_dir, fallback, leaf);
        else
                *out = '\0';
}

void paths_socket(char out[PATH_MAX])
{
        char run[64];

        snprintf(run, sizeof(run), "/tmp/creche-%u", geteuid());
        if (geteuid() == 0)
                snprintf(out, PATH_MAX, "%s", PATHS_SYSTEM_SOCKET);
        else
                default_path(out, "XDG_RUNTIME_DIR", run, "creche/creche.sock");
}

void paths_state(char out[PATH_MAX])
{
        if (geteuid() == 0)
                snprintf(out, PATH_MAX, "%s", PATHS_SYSTEM_STATE);
        else
                default_path(out, "XDG_STATE_HOME", ".local/state", "creche");
}

void paths_config(char out[PATH_MAX])
{
        default_path(out, "XDG_CONFIG_HOME", ".config", "creche/creche.ini");
}
