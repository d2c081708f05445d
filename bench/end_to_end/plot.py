#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bars of the ratios in one or more files of compare.py, as SVG: plot.py out.svg in.json [in.json ...]"""
import argparse
import json
from xml.sax.saxutils import escape

COLOURS = {"pp": "#3465a4", "tg": "#e07b39"}
NAMES = {"pp": "prefill", "tg": "decode"}
BAR, GAP, LEFT, WIDTH, TOP = 12, 10, 210, 420, 46


def bar(y, what, row, scale):
    ratio = row[what + "_ratio"]
    low, high = row.get(what + "_ratio_min", ratio), row.get(what + "_ratio_max", ratio)
    middle = y + BAR / 2
    return (f'<rect x="{LEFT}" y="{y}" width="{ratio * scale:.1f}" height="{BAR - 2}" fill="{COLOURS[what]}"/>'
            f'<line x1="{LEFT + low * scale:.1f}" x2="{LEFT + high * scale:.1f}" y1="{middle - 1}" y2="{middle - 1}" '
            'stroke="#222"/>'
            f'<text x="{LEFT + max(high, ratio) * scale + 5:.1f}" y="{y + BAR - 3}">{ratio:.2f} '
            f'<tspan fill="#777">{escape(row[what + "_peer"])}</tspan></text>')


def ratios(rows):
    """Our median over that of the faster peer; whiskers from worst against best to best against worst."""
    rows = [row for row in rows if "pp_ratio" in row or "tg_ratio" in row]
    most = max([row.get(f"{w}_ratio_max", 1.0) for row in rows for w in COLOURS], default=1.0)
    scale = WIDTH / max(2.0, most)
    body, y = [], TOP
    for row in rows:
        bars = [what for what in COLOURS if what + "_ratio" in row]
        label = f'{row["model"]}, {row["threads"]} thread' + ("s" if row["threads"] != 1 else "")
        body.append(f'<text x="{LEFT - 8}" y="{y + BAR * len(bars) / 2 + 4}" text-anchor="end">{escape(label)}</text>')
        for what in bars:
            body.append(bar(y, what, row, scale))
            y += BAR
        y += GAP
    grid = []
    for half in range(0, int(2 * max(2.0, most)) + 1):
        x = LEFT + half / 2 * scale
        grid.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{y}" stroke="{"#888" if half == 2 else "#ddd"}"/>'
                    f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{half / 2:g}</text>')
    legend = "".join(f'<rect x="{LEFT + 90 * i}" y="6" width="10" height="10" fill="{COLOURS[w]}"/>'
                     f'<text x="{LEFT + 90 * i + 15}" y="15">{NAMES[w]}</text>' for i, w in enumerate(COLOURS))
    legend += f'<text x="{LEFT + 190}" y="15" fill="#777">speed over that of the faster peer</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 130}" height="{y + 6}" '
            'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + legend + "\n" + "\n".join(grid) + "\n" + "\n".join(body) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("svg", help="where the picture goes")
    parser.add_argument("json", nargs="+", help="what compare.py wrote")
    options = parser.parse_args()
    everything = []
    for name in options.json:
        with open(name, encoding="utf-8") as file:
            everything += json.load(file)["rows"]
    with open(options.svg, "w", encoding="utf-8") as svg:
        svg.write(ratios(everything))


if __name__ == "__main__":
    main()
