/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/options.h"

#define PATIENCE_US (CLOCK_US_PER_S / 2)
#define REDRAW_US   (CLOCK_US_PER_S / 10)

static struct {
        const char *what; /* NULL: there is none */
        size_t done, total, drawn;
        int64_t due_us; /* to be drawn, if it has changed */
        bool visible;
} line;

static bool can_be_seen(const struct args *a)
{
        const char *term = getenv("TERM");

        return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 &&
               !(args_takes(a, "quiet") && args_has(a, "quiet"));
}

void progress_begin(const struct args *a, const char *what, size_t total)
{
        progress_end();
        if (!can_be_seen(a))
                return;
        line.what = what;
        line.done = 0;
        line.total = total;
        line.due_us = clock_mono_us() + PATIENCE_US;
}

bool progress_is_on(void)
{
        return line.what != NULL;
}

void progress_set(size_t done)
{
        line.done = done;
        progress_draw();
}

/* Short enough for any terminal: what is wrapped could not be taken back. */
void progress_draw(void)
{
        int64_t now = clock_mono_us();

        if (!line.what || now < line.due_us || (line.visible && line.done == line.drawn))
                return;
        fprintf(stderr, "\r\033[K%s %zu of %zu ...", line.what, line.done, line.total);
        line.drawn = line.done;
        line.visible = true;
        line.due_us = now + REDRAW_US;
}

void progress_hide(void)
{
        if (line.visible)
                fputs("\r\033[K", stderr);
        line.visible = false;
}

void progress_end(void)
{
        progress_hide();
        line.what = NULL;
}

int progress_nap_ms(int timeout_ms)
{
        int64_t ms = (line.due_us - clock_mono_us()) / 1000 + 1;

        if (!line.what || (line.visible && line.done == line.drawn) || ms <= 0)
                return timeout_ms;
        return timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
}
