/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

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
        int64_t v;

        for (int s = 1; s < NSIG; s++)
                if (sigabbrev_np(s) && !strcasecmp(sigabbrev_np(s), bare)) {
                        signals_name(s, out);
                        return 0;
                }
        if (number_parse(text, 1, SIGRTMAX, &v) == 0 && (sigabbrev_np((int)v) || v >= SIGRTMIN)) {
                signals_name((int)v, out);
                return 0;
        }
        if (!strncasecmp(bare, "RTMIN+", 6) && number_parse(bare + 6, 0, SIGRTMAX - SIGRTMIN, &v) == 0) {
                signals_name(SIGRTMIN + (int)v, out);
                return 0;
        }
        fail_usage(f, "'%s' is no signal", text);
        return fail_hint(f, "say a name or a number: TERM, SIGUSR1, 10, RTMIN+1");
}
