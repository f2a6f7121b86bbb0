#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From the JSON of bench.py: the table of the figures, and a plot of how starts scale.

usage: report.py JSON [--readme FILE] [--svg FILE]

The table goes to stdout, or with --readme between the lines <!-- bench --> and <!-- /bench --> of FILE.
"""
import argparse
import json
import math
import re
import sys

WIDTH, HEIGHT = 320, 200  # of one plot
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 28, 34
MARKS = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


def number(n):
    return f"{n:,.0f}" if abs(n) >= 100 else f"{n:,.2f}"


def row(r):
    goal = f"{'at most' if r['at_most'] else 'at least'} {r['goal']:g}"
    if r["absent"]:
        return f"| {r['what']} | | | | {goal} | **not measured**: {r['absent']} |"
    judged = r["ratio"] or r["value"]
    against = f"{number(r['yardstick']['median'])}" if r["yardstick"] else ""
    return (f"| {r['what']} | {number(r['value']['median'])} {r['unit']} | {against} "
            f"| {number(judged['median'])} ({number(judged['min'])} to {number(judged['max'])}) "
            f"| {goal} | {'met' if r['met'] else '**missed**'} |")


def table(results):
    lines = ["| what | ours | yardstick | ratio, or the value itself | goal | |", "|---|---|---|---|---|---|"]
    lines += [row(r) for r in results["figures"]]
    lines += ["", f"Medians (and all rounds from least to most) on {results['processors']} processors, where an fdatasync of "
              f"4 KiB takes {results['fdatasync_us']:.0f} µs."]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------- plot


def place(points):
    """Where each point is, within its plot: n on a logarithmic axis that has a 0, starts per second on one from 0."""
    def at(n):
        return math.log10(n + 1)

    most_n, most = max(at(n) for n, _ in points) or 1, max(y for _, y in points) or 1
    return [(LEFT + at(n) / most_n * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM))
            for n, y in points]


def short(n):
    return f"{n // 1000000} M" if n >= 1000000 else f"{n // 1000} k" if n >= 1000 else str(n)


def text(x, y, s, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{s}</text>'


def plot(series, x, y):
    """One plot, with its upper left corner at (x, y)."""
    points = series["points"]
    at = place(points)
    floor = HEIGHT - BOTTOM
    parts = [f'<g transform="translate({x},{y})">', text(LEFT, TOP - 12, f"start and join per second, by {series['what']}", "start"),
             f'<path d="M{LEFT},{TOP} V{floor} H{WIDTH - RIGHT}" class="axis"/>',
             text(LEFT - 6, TOP + 4, number(max(p for _, p in points)), "end"), text(LEFT - 6, floor, "0", "end"),
             '<polyline points="' + " ".join(f"{px:.1f},{py:.1f}" for px, py in at) + '"/>']
    for (n, _), (px, py) in zip(points, at):
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3"/>', text(px, floor + 16, short(n))]
    return "\n".join(parts + ["</g>"])


def svg(scaling):
    rows = math.ceil(len(scaling) / 2)
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{rows * HEIGHT}" '
            'font-family="sans-serif" font-size="11">\n<style>text{fill:#555}.axis{stroke:#999;fill:none}'
            'polyline{stroke:#2b6cb0;fill:none;stroke-width:2}circle{fill:#2b6cb0}</style>\n')
    return head + "\n".join(plot(s, i % 2 * WIDTH, i // 2 * HEIGHT) for i, s in enumerate(scaling)) + "\n</svg>\n"


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
        f.write(MARKS.sub(lambda m: m.group(1) + table(results) + m.group(2), before))


if __name__ == "__main__":
    main()
