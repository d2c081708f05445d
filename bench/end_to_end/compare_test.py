#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's whole way on small shapes: compare_test.py bench_model bench_peaks. Speeds are not judged."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import compare  # noqa: E402  (beside this file)

MODEL, PEAKS = sys.argv[1:3]


class ParsersTest(unittest.TestCase):
    def test_llama_bench(self):
        text = 'log\n[{"n_prompt": 512, "n_gen": 0, "avg_ts": 100.5}, {"n_prompt": 0, "n_gen": 64, "avg_ts": 7}]\n'
        self.assertEqual(compare.parse_llama_bench(text), {"pp": 100.5, "tg": 7.0})

    def test_regular_expression(self):
        parse = compare.parser_of(r"prefill (?P<pp>[\d.]+).*decode (?P<tg>[\d.]+)")
        self.assertEqual(parse("prefill 12.5 t/s\ndecode 3 t/s"), {"pp": 12.5, "tg": 3.0})

    def test_ratio_is_to_the_faster_peer(self):
        figures = {name: {"tg": compare.spread(values)}
                   for name, values in (("inlay", [9, 10, 12]), ("a", [4, 5, 6]), ("b", [2, 8, 9]))}
        row = compare.summarize("m.gguf", 2, figures, "inlay")
        self.assertEqual((row["tg_peer"], row["tg_ratio"]), ("b", 10 / 8))
        self.assertEqual((row["tg_ratio_min"], row["tg_ratio_max"]), (1.0, 6.0))


class WholeWayTest(unittest.TestCase):
    def test_shapes_and_mixtures(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [(shape, mixture, os.path.join(folder, f"{shape}-{mixture}.gguf"))
                     for shape, mixture in (("tiny", "q4_k_m"), ("tiny", "q2_k"), ("tiny-moe", "q8_0"))]
            for shape, mixture, path in files:
                subprocess.run([MODEL, "make", shape, mixture, path], check=True)
            result, plot = os.path.join(folder, "out.json"), os.path.join(folder, "out.svg")
            ours = (f"{MODEL} run {{model}} --threads {{threads}} --prompt {{prompt}} --generate {{generate}} "
                    "--batches 1,4 --no-peaks")
            done = subprocess.run(
                [sys.executable, os.path.join(HERE, "compare.py"), "--models", *(path for _, _, path in files),
                 "--threads", "1", "--prompt", "16", "--generate", "4", "--launches", "2", "--ours", ours,
                 "--peer", "same", "inlay", ours, "--json", result, "--plot", plot],
                check=True, stdout=subprocess.PIPE, text=True)
            self.assertEqual(len(done.stdout.splitlines()), 2 + len(files))
            with open(result, encoding="utf-8") as file:
                rows = json.load(file)["rows"]
            self.assertEqual([row["model"] for row in rows], [f"{s}-{m}" for s, m, _ in files])
            for row in rows:
                self.assertGreater(row["pp"], 0)
                self.assertGreater(row["tg_ratio"], 0)
                self.assertEqual(row["tg_peer"], "same")
            # 8.5 bits a weight; two of eight experts; the embedding is only looked up.
            self.assertAlmostEqual(rows[2]["figures"]["inlay"]["token_megabytes"]["median"], 1.42, delta=0.05)
            xml.dom.minidom.parse(plot)

    def test_share_of_bandwidth(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tiny-q8_0.gguf")
            subprocess.run([MODEL, "make", "tiny", "q8_0", path], check=True)
            ours = f"{MODEL} run {{model}} --threads {{threads}} --prompt {{prompt}} --generate {{generate}}"
            options = argparse.Namespace(prompt=0, generate=6, depth=0, launches=1, peaks=None, prefix="")
            figures = compare.measure(path, 1, options, [("inlay", "inlay", ours)])
            mine = {key: value["median"] for key, value in figures["inlay"].items()}
            self.assertGreater(mine["share_lowest"], 0)
            self.assertLessEqual(mine["share_lowest"], mine["share"])
            self.assertLessEqual(mine["share"], mine["share_highest"])
            self.assertGreater(mine["share_gb_per_s"], 0)
            self.assertEqual(compare.summarize(path, 1, figures, "inlay")["share"], mine["share"])

    def test_unknown_shape_names_those_there_are(self):
        done = subprocess.run([MODEL, "run", "folder/no-shape.gguf"], stderr=subprocess.PIPE, text=True, check=False)
        for part in ("no-shape.gguf", "--shape", "llama-3.2-1b", "tiny-moe"):
            self.assertIn(part, done.stderr)

    def test_unknown_names_are_errors(self):
        for arguments in (["make", "no-shape", "q8_0", "x"], ["make", "tiny", "q9_9", "x"], ["run", "no-file"]):
            done = subprocess.run([MODEL, *arguments], stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertNotEqual(done.stderr, "")

    def test_peaks(self):
        done = subprocess.run([PEAKS, "1"], check=True, stdout=subprocess.PIPE, text=True)
        peaks = json.loads(done.stdout)
        for figure in ("read_gb_per_s", "int8_gops", "f32_gflops", "copy_gb_per_s"):
            self.assertGreater(peaks[figure], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
