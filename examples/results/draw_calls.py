"""Draws two pictures of many callers: a swap's timeline and how requests fare under twice the load.

    python examples/results/draw_calls.py
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

FOLDER = Path(__file__).parent
SWAP = ("h100-calls.json", "commit 0bd3b6a", "ranker, swap, gentle, I")
OVERLOAD = ("h100-calls.json", "commit 2d3a8e8", "ranker, overload, J")
LIMIT = 1.2  # of p99 in a swap, to that before

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 88, 28, 44, 48

STYLE = (
    ":root{--paper:#ffffff;--ink:#1f2937;--soft:#5b6472;--grid:#e3e7ed;--limit:#b91c1c;--line:#1d4ed8;--other:#be185d}"
    "@media (prefers-color-scheme:dark){:root{--paper:#12161d;--ink:#e6eaf0;--soft:#a3adbb;--grid:#262d38;"
    "--limit:#f87171;--line:#60a5fa;--other:#f472b6}}"
    "text{font:13px system-ui,sans-serif;fill:var(--soft)}.title{font-weight:600;fill:var(--ink)}"
    ".grid{stroke:var(--grid)}.limit{stroke:var(--limit);stroke-dasharray:5 4}.before{stroke:var(--soft);stroke-dasharray:2 3}"
    ".line{fill:none;stroke:var(--line);stroke-width:1.5}.answered{fill:var(--line)}.refused{fill:var(--other)}"
)


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind and f" class={chr(34)}{kind}{chr(34)}"}>{words}</text>'


def height(share: float) -> float:
    """Where a share of the picture's height is."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def mark(y: float, words: str) -> list[str]:
    """A line of the grid, and what it stands for."""
    return [rule(y, "grid"), text(LEFT - 8, y + 4, words, "end")]


def rule(y: float, kind: str) -> str:
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>'


def micros(value: float) -> str:
    return f"{value:g} µs" if value < 1000 else f"{value / 1000:g} ms"


def picture(name: str, title: str, parts: list[str]) -> None:
    (FOLDER / name).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{title}"><style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="var(--paper)"/>'
        + text(LEFT, 22, title, kind="title")
        + "".join(parts)
        + "</svg>\n",
        encoding="utf-8",
    )


def swap(figures: dict[str, float]) -> None:
    at = re.compile(r"swap, during, at ([\d.]+) s, p99 microseconds")
    points = sorted((float(m[1]), value) for name, value in figures.items() if (m := at.fullmatch(name)))
    before = figures["swap, before, p99 microseconds"]
    lowest, highest = 250, 10_000
    end = points[-1][0] + 0.5

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / end

    def y(value: float) -> float:
        return height(math.log(value / lowest) / math.log(highest / lowest))

    parts = []
    for value in (250, 500, 1000, 2000, 5000, 10_000):
        parts += mark(y(value), micros(value))
    for second in range(0, int(end) + 1, 20):
        parts.append(text(x(second), HEIGHT - BOTTOM + 20, f"{second}", "middle"))
    parts.append(text(WIDTH - RIGHT, HEIGHT - 8, "seconds since the swap began", "end"))
    parts += [rule(y(before), "before"), rule(y(LIMIT * before), "limit")]
    legend = f"dotted: p99 before; dashed: {LIMIT} times that"
    parts.append(text(WIDTH - RIGHT, y(LIMIT * before) - 110, legend, "end"))
    parts.append(f'<polyline class="line" points="{" ".join(f"{x(s + 0.25):.1f},{y(v):.1f}" for s, v in points)}"/>')
    picture("h100-swap.svg", "p99 of each half second of a gentle swap, at 70 % load", parts)


def overload(figures: dict[str, float]) -> None:
    bins: dict[tuple[int, int], dict[str, float]] = {}
    kind = re.compile(r"overload, third, (accepted|refused), requests from (\d+) to (\d+) us")
    for name, value in figures.items():
        if m := kind.fullmatch(name):
            bins.setdefault((int(m[2]), int(m[3])), {})[m[1]] = value
    slot = (WIDTH - LEFT - RIGHT) / len(bins)
    decades = 7

    def y(requests: float) -> float:
        # One request has a bar, too: a fifth of a decade.
        return height((math.log10(requests) + 0.2) / (decades + 0.2))

    parts = []
    for decade in range(decades + 1):
        parts += mark(y(10**decade), f"{10**decade:,}")
    for index, ((_, to), of) in enumerate(sorted(bins.items())):
        left = LEFT + index * slot
        for place, (which, style) in enumerate((("accepted", "answered"), ("refused", "refused"))):
            if of.get(which):
                top = y(of[which])
                parts.append(
                    f'<rect class="{style}" x="{left + slot * (0.12 + 0.38 * place):.1f}" y="{top:.1f}" '
                    f'width="{slot * 0.36:.1f}" height="{HEIGHT - BOTTOM - top:.1f}"/>'
                )
        parts.append(text(left + slot, HEIGHT - BOTTOM + 20, micros(to), "middle"))
    for place, (words, style) in enumerate((("answered", "answered"), ("refused", "refused"))):
        left = LEFT + 8 + 110 * place
        parts.append(f'<rect class="{style}" x="{left}" y="{HEIGHT - 18}" width="10" height="10"/>')
        parts.append(text(left + 16, HEIGHT - 8, words))
    parts.append(text(WIDTH - RIGHT, HEIGHT - 8, "time to the answer, or to the refusal", "end"))
    picture("h100-overload.svg", "Twice the load that can be served, deadline 10 ms: how many requests took how long", parts)


def main() -> None:
    for draw, (file, commit, section) in ((swap, SWAP), (overload, OVERLOAD)):
        results = json.loads((FOLDER / file).read_text(encoding="utf-8"))
        draw(results[commit][section])


if __name__ == "__main__":
    main()
