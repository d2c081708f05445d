#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What translation units that use inlay cost to compile: seconds of processor time and peak memory.

compile.py [--only NAME] COMPILER FLAG...    with -I and -isystem for inlay and what it needs; exits 1 past a limit
"""

import os
import subprocess
import sys
import tempfile
import time

LINKED = ["-DINLAY_LINKED"]
CASES = [  # name, text, flags, most seconds, most MB
    ("cheap header", "#include <inlay/api.hpp>\n", [], 0.5, None),
    ("one model, linked", "#include <inlay/inlay.hpp>\nINLAY_INSTANTIATE(inlay::models::smollm2_135m);\n", LINKED, None, None),
    ("one model, header-only", "#include <inlay/inlay.hpp>\nINLAY_INSTANTIATE(inlay::models::smollm2_135m);\n", [], None, None),
    ("default zoo, linked", "#include <inlay/generate/small_zoo.hpp>\nINLAY_INSTANTIATE_ZOO(inlay::small_zoo);\n", LINKED, 60, 2000),
]  # fmt: skip


def measure(command):
    """Processor seconds, wall seconds and peak MB of a command and all it starts."""
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    per_mb = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / per_mb


def main():
    arguments = sys.argv[1:]
    only = None
    if arguments[:1] == ["--only"]:
        only, arguments = arguments[1], arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    over = False
    print(f"{'':24}{'seconds':>10}{'wall':>10}{'peak MB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, text, flags, most_seconds, most_mb in CASES:
            if only not in (None, name):
                continue
            source = os.path.join(folder, "unit.cpp")
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            seconds, wall, mb = measure([*arguments, *flags, "-c", source, "-o", os.path.join(folder, "unit.o")])
            late = most_seconds is not None and seconds > most_seconds
            large = most_mb is not None and mb > most_mb
            limits = ", ".join(
                [f"{most_seconds} s"] * (most_seconds is not None) + [f"{most_mb} MB"] * (most_mb is not None)
            )
            note = f"   {'over' if late or large else 'within'} {limits}" if limits else ""
            print(f"{name:24}{seconds:10.2f}{wall:10.2f}{mb:10.0f}{note}", flush=True)
            over = over or late or large
    sys.exit(1 if over else 0)


main()
