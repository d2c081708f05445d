#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions for 16 multiply-adds, counted by an emulator that writes a line for each:
count.py PROGRAM --emulator 'qemu-aarch64 -L /usr/aarch64-linux-gnu -singlestep -d exec,nochain'"""
import argparse
import shlex
import subprocess


def run(command):
    """How many instructions were executed, and how many multiply-adds that were asked for."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        executed = sum(line.startswith(b"Trace") for line in program.stderr)
        products = program.stdout.read()
    if program.returncode != 0 or executed == 0:
        raise SystemExit(f"no instructions were counted: {shlex.join(command)}")
    return executed, int(products)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="bench_instructions")
    parser.add_argument("--emulator", required=True)
    parser.add_argument("--types", nargs="+", default=["Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q3_K", "Q2_K"])
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 8, 100])
    arguments = parser.parse_args()
    print("| type | " + " | ".join(f"{rows} rows" for rows in arguments.rows) + " |")
    print("|---|" + "---|" * len(arguments.rows))
    for kind in arguments.types:
        cells = []
        for rows in arguments.rows:
            command = shlex.split(arguments.emulator) + [arguments.program, kind, str(rows)]
            (once, products), (thrice, _) = run(command + ["1"]), run(command + ["3"])
            cells.append(f"{(thrice - once) / 2 / products * 16:.2f}")
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
