# SPDX-License-Identifier: Apache-2.0
"""The tiny checkpoints of every family as GGUF files of inlay's, judged by llama.cpp.

    cmake --build --preset test --target test_convert_families
    g++ -std=c++17 tests/reference/llama_logits.cpp -o llama_logits -lllama -lggml -lggml-base
    python tests/reference/second_judge.py build/test/tests/convert/test_convert_families ./llama_logits

Prints two tables, of families and of checkpoints: the largest difference of inlay to transformers, and of llama.cpp, on
inlay's files, to transformers, each relative to the largest logit. Exits with 1 where one of them is too large.

The tolerance is that of the golden tests (tests/golden/golden.hpp). llama.cpp computes GELU from a table in half
precision, whose steps are 2^-11 of the value; some ten such values in a row may add up: 5e-3 for Gemma and BERT.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

MODELS = pathlib.Path(__file__).parent.parent / "data" / "models"
F32, GELU = 1e-4, 5e-3
FAMILIES = {"llama": "Llama", "mini": "Mistral", "mistral": "Mistral", "qwen2": "Qwen2.5", "qwen35": "Qwen3.5",
            "qwen3_moe": "Qwen3 with experts", "qwen3": "Qwen3", "gemma3": "Gemma 3", "gemma4": "Gemma 4",
            "phi3": "Phi", "nemotron_h": "Nemotron-H", "openelm": "OpenELM", "bert": "BERT",
            "mobilebert": "MobileBERT"}  # fmt: skip
# llama.cpp runs other equations for these.
UNKNOWN = {
    "gemma3_query_scalar": "it knows no score scale of a model's own",
    "ministral_alternating": "it has no windows in Mistral",
    "mobilebert_classifier": "it does not know MobileBERT",
    "qwen35_chunks": "it wants value heads as wide as key heads",
    "qwen3_moe_mixed": "it wants experts in every layer",
}
# It has no window for these: the rows before one begins to matter.
WINDOWS = {"mistral_window": 9, "phi3_window": 7}


def family(name):
    return next(FAMILIES[prefix] for prefix in FAMILIES if name.startswith(prefix))


def run_llama(program, model, ids, columns, *options):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        done = subprocess.run([program, *options, model, out, *map(str, ids)], capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        return np.fromfile(out, np.float32).reshape(len(ids), columns), ""


def judge(program, name, model):
    """The largest relative difference of llama.cpp, or None and why there is none."""
    long = MODELS / name / "expected.long.safetensors"  # llama.cpp takes the long factors where the context is long
    expected = load_file(long if long.exists() else MODELS / name / "expected.safetensors")
    if "attention_mask" in expected:  # an encoder
        ids = expected["input_ids"][1][expected["attention_mask"][1] == 1].tolist()  # the first has tokens of two types
        wanted = expected["last_hidden_state"][1][: len(ids)]
        got, why = run_llama(program, model, ids, wanted.shape[1], "-e")
    else:
        ids, wanted = expected["input_ids"].tolist(), expected["logits"]
        got, why = run_llama(program, model, ids, wanted.shape[1])
    if got is None:
        return None, why
    rows = WINDOWS.get(name, len(ids))
    return float(np.abs(got - wanted)[:rows].max() / np.abs(wanted).max()), ""


def main(converter, program):
    failed = False
    checkpoints, families = [], {}
    with tempfile.TemporaryDirectory() as folder:
        converted = subprocess.run([converter], env=os.environ | {"INLAY_CONVERTED": folder}, text=True,
                                   stdout=subprocess.PIPE, check=True).stdout  # fmt: skip
        measured = [line.split() for line in converted.splitlines() if line.count(" ") == 2 and (MODELS / line.split()[0]).is_dir()]
        for name, read, written in measured:
            if name in UNKNOWN:
                theirs, note = None, UNKNOWN[name]
            else:
                theirs, note = judge(program, name, pathlib.Path(folder) / f"{name}.gguf")
                failed |= theirs is None or theirs > (GELU if name.startswith(("gemma", "bert")) else F32)
                if name in WINDOWS:
                    note = f"the first {WINDOWS[name]} rows"
            largest = max(float(d) for d in (read, written) if d != "-")
            failed |= largest > F32
            checkpoints.append((name, read, written, "-" if theirs is None else f"{theirs:.1e}", note))
            ours = families.setdefault(family(name), [0.0, 0.0])
            ours[0] = max(ours[0], largest)
            ours[1] = max(ours[1], theirs or 0.0)  # 0: not judged
    print("| family | inlay | llama.cpp |\n|---|---|---|")
    for name, (ours, theirs) in families.items():
        print(f"| {name} | {ours:.1e} | {theirs:.1e} |" if theirs else f"| {name} | {ours:.1e} | - |")
    print("\n| checkpoint | inlay, safetensors | inlay, GGUF | llama.cpp | |\n|---|---|---|---|---|")
    for row in checkpoints:
        print("| " + " | ".join(row) + " |")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
