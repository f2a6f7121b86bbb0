/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void signals_name(int signo, char out[SIGNAL_NAME_MAX])
{
        const char *name = sigabbrev_np(signo);

        if (name)
                snprintf(out, SIGNAL_NAME_MAX, "SIG%s", name);
        else
                snprintf(out, SIGNAL_NAME_MAX, "SIGRTMIN+%d", signo - SIGRTMIN);
}

int signals_parse(const char *text, char out[SIGNAL_NAME_MAX], struct fail *f)
{
        const char *bare = strncasecmp(text, "SIG", 3) ? text : text + 3;
        char *end;
        long v = strtol(text, &end, 10);

        for (int s = 1; s < NSIG; s++)
                if (sigabbrev_np(s) && !strcasecmp(sigabbrev_np(s), bare)) {
                        signals_name(s, out);
                        return 0;
                }
        if (isdigit((unsigned char)*text) && !*end && v > 0 &&
            (sigabbrev_np((int)v) || (v >= SIGRTMIN && v <= SIGRTMAX))) {
                signals_name((int)v, out);
                return 0;
        }
        if (!strncasecmp(bare, "RTMIN+", 6) && isdigit((unsigned char)bare[6]) && strlen(bare) < 9) {
                snprintf(out, SIGNAL_NAME_MAX, "SIG%.8s", bare);
                return 0;
        }
        fail_usage(f, "'%s' is no signal", text);
        return fail_hint(f, "say a name or a number: TERM, SIGUSR1, 10, RTMIN+1");
}
