#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what no compiler checks: which room includes which, and the rules every file keeps.

check_sources.py [ROOT]   prints one line per violation and exits with 1 if there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

# A room of include/inlay and the rooms it may include besides itself. "*" knows all rooms.
ROOMS = {
    "config": set(),
    "core": {"config"},
    "quant": {"config", "core"},
    "kernels": {"config", "core", "quant"},
    "layers": {"config", "core", "quant", "kernels"},
    "models": {"config", "core", "quant", "kernels", "layers"},
    "io": {"config", "core", "quant"},
    "text": {"config", "core", "quant"},
    "vision": {"config", "core", "quant", "kernels", "layers"},
    "audio": {"config", "core", "quant", "kernels", "layers"},
    "generate": {"*"},
    "convert": {"*"},
    "": {"*"},  # headers directly in include/inlay
}
SIMD = re.compile(r"^(hwy|xsimd)/")
MAX_LINES = 800
SOURCES = {".hpp", ".cpp", ".h", ".cc"}
SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_SUFFIXES = SOURCES | {".py", ".cmake", ".sh"}
SPDX_NAMES = {"CMakeLists.txt", "run"}
# Paths of one machine and hosts of package registries; bracketed so that this file does not match itself.
MACHINE = re.compile(
    r"/wor[k]/|/tmp/bash_job[s]|/root[/]|/home/[a-z]+[/]|deb[.]debian[.]org|pypi[.]org|pythonhosted[.]org|registry[.]npmjs"
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def tracked(root):
    """Files of the project: what git tracks or would track, or every file where there is no git."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True
    )
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in root.rglob("*") if "build" not in p.relative_to(root).parts]
    return sorted(p for p in paths if p.is_file() and not p.is_symlink())


def room_of(header):
    """'core' for inlay/core/error.hpp, '' for inlay/inlay.hpp."""
    parts = header.split("/")
    return parts[1] if len(parts) > 2 else ""


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match.group(1), match.group(2)


def check_includes(headers):
    """Rooms, own and foreign headers, cycles. `headers` maps inlay/... names to texts."""
    graph = {}
    for name, text in headers.items():
        room = room_of(name)
        graph[name] = []
        if room not in ROOMS:
            yield f"include/{name}:1: '{room}' is not a room; check_sources.py lists them"
            continue
        for number, quoted, angled in includes(text):
            where = f"include/{name}:{number}"
            if SIMD.match(quoted or angled):
                if room != "kernels":
                    yield f"{where}: only kernels/ may include {quoted or angled}"
                continue
            if angled is not None:
                if angled.startswith("inlay/"):
                    yield f'{where}: own headers are included as "{angled}"'
                continue
            if not quoted.startswith("inlay/"):
                yield f'{where}: "{quoted}" is neither "inlay/..." nor a system header'
                continue
            if quoted not in headers:
                yield f'{where}: "{quoted}" does not exist'
                continue
            graph[name].append(quoted)
            target = room_of(quoted)
            if target != room and "*" not in ROOMS[room] and target not in ROOMS[room]:
                yield f'{where}: {room or "inlay"} may not include {target or "the headers above the rooms"} ("{quoted}")'
            if target == "" and room != "":
                yield f'{where}: "{quoted}" stands above the rooms'
    yield from check_cycles(graph)


def check_cycles(graph):
    done, path = set(), []

    def visit(name):
        if name in path:
            loop = path[path.index(name) :] + [name]
            yield "include cycle: " + " -> ".join(loop)
            return
        if name in done:
            return
        path.append(name)
        for target in graph[name]:
            # A file that includes itself does so on purpose, once per CPU target.
            if target != name:
                yield from visit(target)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        yield from visit(name)


def check_file(name, path, text):
    lines = text.splitlines()
    if path.suffix in SOURCES and len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines, more than {MAX_LINES}"
    if path.suffix in SPDX_SUFFIXES or path.name in SPDX_NAMES:
        head = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
        if not head or SPDX not in head[0]:
            yield f"{name}:1: the first line must be '{SPDX}'"
    if path.suffix == ".hpp" and not path.name.endswith("-inl.hpp") and "#pragma once" not in lines:
        yield f"{name}: no '#pragma once'"
    for number, line in enumerate(lines, 1):
        if found := MACHINE.search(line):
            yield f"{name}:{number}: '{found.group()}' belongs to one machine or registry"
        if path.suffix in SPDX_SUFFIXES and line != line.rstrip():
            yield f"{name}:{number}: trailing blanks"


def check_versions(root, headers):
    """The vcpkg port repeats the version, because vcpkg reads it before anything of the project runs."""
    version = ".".join(re.findall(r"define INLAY_VERSION_\w+ (\d+)", headers.get("inlay/config/version.hpp", "")))
    port = root / "cmake/vcpkg/inlay/vcpkg.json"
    if port.exists() and f'"version-semver": "{version}"' not in port.read_text(encoding="utf-8"):
        yield f"{port.relative_to(root)}: not version {version} of inlay/config/version.hpp"


def violations(root):
    headers = {}
    for path in tracked(root):
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.stat().st_size < 1 << 20:
            yield from check_file(name, path, text)
        if name.startswith("include/") and path.suffix == ".hpp":
            headers[name.removeprefix("include/")] = text
    if not headers:
        yield "no headers found below include/"
    yield from check_includes(headers)
    yield from check_versions(root, headers)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = list(violations(root.resolve()))
    for line in found:
        print(line)
    print(f"{len(found)} violations" if found else "sources are in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
