#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speeds of several engines on the same files, measured side by side.

Every engine is a command that is launched anew for every measurement, in turn with the others. A template may use
{model} {threads} {prompt} {generate} {depth}; its output is read as the engine's kind says:
  inlay        the JSON of bench_model run
  llama-bench  the JSON of llama.cpp's llama-bench and its relatives (-o json)
  seconds      nothing: the launch's wall-clock time is all there is
  REGEX        anything else: a regular expression with groups named pp and tg, in tokens per second
The bandwidth of the machine is measured between the launches, if --peaks gives bench_peaks.

  compare.py --models *.gguf --threads 2 --ours 'bench_model run {model} --threads {threads} --prompt {prompt}
      --generate {generate}' --peer NAME KIND 'command' --peaks bench_peaks --json out.json --plot out.svg
"""
import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

import plot


def parse_llama_bench(text):
    start = text.index("[")
    found = {}
    for test in json.loads(text[start:text.rindex("]") + 1]):
        name = "pp" if test["n_prompt"] > 0 and test["n_gen"] == 0 else "tg" if test["n_gen"] > 0 else None
        if name:
            found[name] = float(test["avg_ts"])
    return found


def parse_inlay(text):
    return {k: v for k, v in json.loads(text).items() if isinstance(v, (int, float))}


def parser_of(kind):
    if kind == "inlay":
        return parse_inlay
    if kind == "llama-bench":
        return parse_llama_bench
    if kind == "seconds":
        return lambda text: {}
    pattern = re.compile(kind, re.DOTALL)
    return lambda text: {k: float(v) for k, v in pattern.search(text).groupdict().items() if v}


def launch(command, parse, prefix):
    """The figures of one launch; 'seconds' is its wall-clock time. None where it fails."""
    words = shlex.split(prefix) + shlex.split(command)
    begin = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - begin
    try:
        if done.returncode != 0:
            raise ValueError(f"ended with {done.returncode}")
        return {**parse(done.stdout), "seconds": seconds}
    except (ValueError, AttributeError, KeyError) as problem:
        print(f"{command}: {problem}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "all": values}


def measure(model, threads, options, engines):
    """{engine: {figure: spread}} of one file, with the bandwidth as the engine 'peaks'."""
    numbers = {"model": shlex.quote(model), "threads": threads, "prompt": options.prompt,
               "generate": options.generate, "depth": options.depth}
    runs = {}
    for _ in range(options.launches):
        if options.peaks:
            got = launch(f"{options.peaks} {threads}", parse_inlay, options.prefix)
            runs.setdefault("peaks", []).append(got)
        for name, kind, template in engines:
            runs.setdefault(name, []).append(launch(template.format(**numbers), parser_of(kind), options.prefix))
    figures = {}
    for name, got in runs.items():
        got = [one for one in got if one]
        keys = set().union(*got) if got else set()
        figures[name] = {key: spread([one[key] for one in got if key in one]) for key in sorted(keys)}
    return figures


def summarize(model, threads, figures, ours):
    """A row of the table: medians, the ratio to the best peer, and the share of the bandwidth."""
    row = {"model": os.path.splitext(os.path.basename(model))[0], "threads": threads, "figures": figures}
    mine = figures.get(ours, {})
    for what in ("pp", "tg"):
        peers = {n: f[what]["median"] for n, f in figures.items() if n not in (ours, "peaks") and what in f}
        if what not in mine:
            continue
        row[what] = mine[what]["median"]
        if peers:
            best = max(peers, key=peers.get)
            row[what + "_peer"], row[what + "_best"] = best, peers[best]
            row[what + "_ratio"] = row[what] / peers[best]
            row[what + "_ratio_min"] = mine[what]["min"] / figures[best][what]["max"]
            row[what + "_ratio_max"] = mine[what]["max"] / figures[best][what]["min"]
    if "share" in mine:
        row["share"] = mine["share"]["median"]
    return row


def text_of(value, form="{:.1f}"):
    return "" if value is None else form.format(value)


def range_of(figures, engine, what):
    one = figures.get(engine, {}).get(what)
    return "" if one is None else "{:.0f}/{:.0f}/{:.0f}".format(one["min"], one["median"], one["max"])


def table(rows, engines, ours):
    """Markdown. Speeds are minimum/median/maximum of the launches."""
    names = [name for name, _, _ in engines]
    head = ["model", "threads"] + [f"{n} {w}" for w in ("pp", "tg") for n in names]
    head += ["pp ratio", "tg ratio", "of bandwidth", "GB/s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        f = row["figures"]
        cells = [row["model"], str(row["threads"])] + [range_of(f, n, w) for w in ("pp", "tg") for n in names]
        cells += [text_of(row.get("pp_ratio"), "{:.2f}"), text_of(row.get("tg_ratio"), "{:.2f}"),
                  text_of(row.get("share"), "{:.2f}"), range_of(f, ours, "share_gb_per_s")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--threads", nargs="+", type=int, default=[os.cpu_count()])
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--launches", type=int, default=5)
    parser.add_argument("--ours", required=True, help="command of kind inlay")
    parser.add_argument("--peer", nargs=3, action="append", default=[], metavar=("NAME", "KIND", "COMMAND"))
    parser.add_argument("--peaks", help="path of bench_peaks")
    parser.add_argument("--prefix", default="", help="put before every command, e.g. 'taskset -c 0,1'")
    parser.add_argument("--json")
    parser.add_argument("--plot", help="an SVG of the ratios")
    options = parser.parse_args()

    engines = [("inlay", "inlay", options.ours)] + [tuple(peer) for peer in options.peer]
    rows = []
    for model in options.models:
        for threads in options.threads:
            rows.append(summarize(model, threads, measure(model, threads, options, engines), "inlay"))
            print(table(rows[-1:], engines, "inlay").splitlines()[-1], file=sys.stderr)
            if options.json:
                with open(options.json, "w", encoding="utf-8") as out:
                    json.dump({"prompt": options.prompt, "generate": options.generate, "depth": options.depth,
                               "launches": options.launches, "rows": rows}, out, indent=1)
    print(table(rows, engines, "inlay"))
    if options.plot:
        with open(options.plot, "w", encoding="utf-8") as out:
            out.write(plot.ratios(rows))
    return 0 if all("pp" in row or "tg" in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
