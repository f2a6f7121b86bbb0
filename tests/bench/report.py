#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From the JSON of bench.py: the table of the figures, and a plot of how starts scale.

usage: report.py JSON [--readme FILE] [--svg FILE]

The table goes to stdout, or with --readme between the lines <!-- bench --> and <!-- /bench --> of FILE, and the plot
below it there.
"""
import argparse
import json
import math
import os
import re
import sys

from measure import DISTURBED

WIDTH, HEIGHT, HEAD = 400, 250, 44  # of one plot; of what stands above all of them
LEFT, RIGHT, TOP, BOTTOM = 74, 22, 30, 46
TICKS = 5  # at most, above 0
TITLE = "Processes started and joined per second (by 64 clients, where no other number is said)"
MARKS = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


def number(n):
    return f"{n:,.0f}" if abs(n) >= 100 else f"{n:,.2f}"


def with_rounds(value, unit=""):
    return f"{number(value['median'])}{unit} ({number(value['min'])} to {number(value['max'])})"


def row(r):
    goal = f"{'at most' if r['at_most'] else 'at least'} {r['goal']:g}"
    if r["absent"]:
        return f"| {r['what']} | | | | {goal} | **not measured**: {r['absent']} |"
    met = "met" if r["met"] else "**missed**"
    if not r["ratio"]:
        return f"| {r['what']} | {with_rounds(r['value'], ' ' + r['unit'])} | | | {goal} {r['unit']} | {met} |"
    return (f"| {r['what']} | {number(r['value']['median'])} {r['unit']} | {number(r['yardstick']['median'])} {r['unit']} "
            f"| {with_rounds(r['ratio'])} | {goal} | {met} |")


def table(results):
    figures = results["figures"]
    others = max([r["others"] for r in figures if not r["absent"]], default=0)
    lines = ["| what | ours | yardstick | ours / yardstick | goal | |", "|---|--:|--:|--:|---|---|"]
    lines += [row(r) for r in figures]
    lines += ["", f"Medians (and all rounds, from least to most) on {results['processors']} processors, where an fdatasync of "
              f"4 KiB takes {results['fdatasync_us']:.0f} µs."]
    if others > DISTURBED:
        lines += ["", f"**Others had up to {others:.0%} of the processors meanwhile: these are no figures to show to anybody.**"]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------- plot

# Legible on white and on black, and better where the page says which it is.
STYLE = """text{fill:#6e7781}.title{font-size:14px;font-weight:600}.head{font-weight:600}.axis{stroke:#8b949e}
.grid{stroke:#8b949e;stroke-opacity:.3}polyline{stroke:#2f7de1;stroke-width:2}path,polyline{fill:none}circle{fill:#2f7de1}
@media (prefers-color-scheme:dark){text{fill:#9da7b3}.title{fill:#d1d7e0}polyline{stroke:#58a6ff}circle{fill:#58a6ff}}"""


def ticks(most):
    """From 0 to the first that is not below @most, in steps that people count in."""
    rough = most / TICKS
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n >= rough)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def place(points, most):
    """Where each point is, within its plot: n on a logarithmic axis that has a 0, starts per second on one to @most."""
    def at(n):
        return math.log10(n + 1)

    least_n = min(at(n) for n, _ in points)
    span = max(at(n) for n, _ in points) - least_n or 1
    return [(LEFT + (at(n) - least_n) / span * (WIDTH - LEFT - RIGHT), height(y, most)) for n, y in points]


def height(y, most):
    return HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM)


def short(n):
    return f"{n:,}" if n % 1000 or not n else f"{n // 1000} k" if n % 1000000 else f"{n // 1000000} M"


def text(x, y, s, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{s}</text>'


def axes(what, scale):
    """The grid with what it counts; @scale: the ticks of the upright one."""
    floor, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    parts = [text(LEFT, TOP - 12, f"by {what}", "start", ' class="head"')]
    for y in scale:
        at = height(y, scale[-1])
        parts += [f'<path d="M{LEFT},{at:.1f} H{WIDTH - RIGHT}" class="{"grid" if y else "axis"}"/>',
                  text(LEFT - 8, at + 4, f"{y:,.0f}", "end")]
    return parts + [f'<path d="M{LEFT},{TOP} V{floor}" class="axis"/>',
                    text((LEFT + WIDTH - RIGHT) / 2, floor + 36, f"{what} (logarithmic)"),
                    text(14, middle, "start + join, per second", more=f' transform="rotate(-90 14 {middle:.1f})"')]


def plot(series, scale, x, y):
    """One plot, with its upper left corner at (x, y)."""
    at = place(series["points"], scale[-1])
    parts = [f'<g transform="translate({x},{y})">', *axes(series["what"], scale),
             '<polyline points="' + " ".join(f"{px:.1f},{py:.1f}" for px, py in at) + '"/>']
    for (n, per_s), (px, py) in zip(series["points"], at):
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5"><title>{n:,}: {per_s:,.0f} per second</title></circle>',
                  text(px, HEIGHT - BOTTOM + 17, short(n))]
    return "\n".join(parts + ["</g>"])


def svg(scaling):
    """All of them to one scale, so that they can be compared."""
    width, total = 2 * WIDTH, HEAD + math.ceil(len(scaling) / 2) * HEIGHT
    scale = ticks(max(per_s for s in scaling for _, per_s in s["points"]))
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
            f'font-family="sans-serif" font-size="11" role="img" aria-label="{TITLE}">\n<style>{STYLE}</style>\n'
            + text(width / 2, 26, TITLE, more=' class="title"') + "\n")
    return head + "\n".join(plot(s, scale, i % 2 * WIDTH, HEAD + i // 2 * HEIGHT) for i, s in enumerate(scaling)) + "\n</svg>\n"


def page(results, options):
    """What stands between the marks."""
    if not options.svg:
        return table(results)
    path = os.path.relpath(options.svg, os.path.dirname(options.readme))
    return f"{table(results)}\n![{TITLE}]({path})\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("json")
    p.add_argument("--readme")
    p.add_argument("--svg")
    options = p.parse_args()
    with open(options.json, encoding="utf-8") as f:
        results = json.load(f)
    if options.svg:
        if not results["scaling"]:
            sys.exit("report: nothing is known of scaling: run bench.py without names, or with scale")
        with open(options.svg, "w", encoding="utf-8") as f:
            f.write(svg(results["scaling"]))
    if not options.readme:
        print(table(results), end="")
        return
    with open(options.readme, encoding="utf-8") as f:
        before = f.read()
    if not MARKS.search(before):
        sys.exit(f"report: {options.readme} has no place for the table")
    with open(options.readme, "w", encoding="utf-8") as f:
        f.write(MARKS.sub(lambda m: m.group(1) + page(results, options) + m.group(2), before))


if __name__ == "__main__":
    main()
