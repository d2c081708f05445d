#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every rule of check_sources.py, on small trees that keep it and trees that break it."""

import tempfile
import unittest
from pathlib import Path

import check_sources

HEAD = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n"


def check(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return list(check_sources.violations(root))


class CheckSources(unittest.TestCase):
    def broken(self, files, expected):
        found = check(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_sound_tree(self):
        self.assertEqual(
            check(
                {
                    "include/inlay/core/a.hpp": HEAD + "#include <vector>\n",
                    "include/inlay/io/b.hpp": HEAD + '#include "inlay/core/a.hpp"\n',
                    "include/inlay/kernels/c.hpp": HEAD + "#include <hwy/highway.h>\n",
                    "include/inlay/kernels/d.hpp": HEAD + '#include "hwy/base.h"\n',
                    "include/inlay/generate/e.hpp": HEAD + '#include "inlay/io/b.hpp"\n',
                    "include/inlay/inlay.hpp": HEAD + '#include "inlay/generate/e.hpp"\n',
                }
            ),
            [],
        )

    def test_include_up(self):
        self.broken(
            {
                "include/inlay/core/a.hpp": HEAD + '#include "inlay/quant/b.hpp"\n',
                "include/inlay/quant/b.hpp": HEAD,
            },
            "core may not include quant",
        )

    def test_include_sideways(self):
        self.broken(
            {
                "include/inlay/text/a.hpp": HEAD + '#include "inlay/io/b.hpp"\n',
                "include/inlay/io/b.hpp": HEAD,
            },
            "text may not include io",
        )

    def test_nobody_includes_the_umbrella(self):
        self.broken(
            {
                "include/inlay/generate/a.hpp": HEAD + '#include "inlay/inlay.hpp"\n',
                "include/inlay/inlay.hpp": HEAD,
            },
            "stands above the rooms",
        )

    def test_cycle(self):
        self.broken(
            {
                "include/inlay/core/a.hpp": HEAD + '#include "inlay/core/b.hpp"\n',
                "include/inlay/core/b.hpp": HEAD + '#include "inlay/core/c.hpp"\n',
                "include/inlay/core/c.hpp": HEAD + '#  include "inlay/core/a.hpp"\n',
            },
            "include cycle",
        )

    def test_simd_outside_kernels(self):
        self.broken({"include/inlay/layers/a.hpp": HEAD + "#include <hwy/highway.h>\n"}, "only kernels/")
        self.broken({"include/inlay/core/a.hpp": HEAD + '#include "xsimd/xsimd.hpp"\n'}, "only kernels/")

    def test_spelling_of_own_headers(self):
        tree = {"include/inlay/core/b.hpp": HEAD}
        self.broken(tree | {"include/inlay/core/a.hpp": HEAD + '#include "b.hpp"\n'}, "neither")
        self.broken(tree | {"include/inlay/core/a.hpp": HEAD + "#include <inlay/core/b.hpp>\n"}, "included as")
        self.broken(tree | {"include/inlay/core/a.hpp": HEAD + '#include "inlay/core/x.hpp"\n'}, "does not exist")

    def test_unknown_room(self):
        self.broken({"include/inlay/attic/a.hpp": HEAD}, "not a room")

    def test_length(self):
        tree = {"include/inlay/core/a.hpp": HEAD}
        self.assertEqual(check(tree | {"tests/core/a.cpp": HEAD + "int i;\n" * 798}), [])
        self.broken(tree | {"tests/core/a.cpp": HEAD + "int i;\n" * 799}, "801 lines")

    def test_licence_line(self):
        tree = {"include/inlay/core/a.hpp": HEAD}
        self.assertEqual(check(tree | {"x.py": "#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0\n"}), [])
        self.broken(tree | {"x.py": "import os\n"}, "first line")
        self.broken(tree | {"CMakeLists.txt": "project(x)\n"}, "first line")

    def test_pragma_once(self):
        self.broken({"include/inlay/core/a.hpp": "// SPDX-License-Identifier: Apache-2.0\n"}, "#pragma once")
        self.assertEqual(check({"include/inlay/kernels/a-inl.hpp": "// SPDX-License-Identifier: Apache-2.0\n"}), [])

    def test_machine_paths(self):
        tree = {"include/inlay/core/a.hpp": HEAD}
        self.broken(tree | {"README.md": "see /wor" + "k/main\n"}, "one machine")
        self.broken(tree | {"notes.md": "from deb." + "debian.org\n"}, "one machine")

    def test_version_of_the_port(self):
        tree = {
            "include/inlay/config/version.hpp": HEAD
            + "#define INLAY_VERSION_MAJOR 1\n#define INLAY_VERSION_MINOR 2\n#define INLAY_VERSION_PATCH 3\n"
        }
        port = "cmake/vcpkg/inlay/vcpkg.json"
        self.assertEqual(check(tree | {port: '{"version-semver": "1.2.3"}\n'}), [])
        self.broken(tree | {port: '{"version-semver": "1.2.4"}\n'}, "not version 1.2.3")

    def test_no_headers(self):
        self.broken({"README.md": "nothing\n"}, "no headers")


if __name__ == "__main__":
    unittest.main()
