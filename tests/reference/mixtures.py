# SPDX-License-Identifier: Apache-2.0
"""Which storage types llama.cpp gives the tensors of some outlines of models.

  python3 tests/reference/mixtures.py LLAMA_QUANTIZE > tests/data/convert/mixtures.txt

A line is CASE TYPE and the tensors' types in file order, with N* before what comes N times in a row.
"""

import itertools
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

TYPES = {
    "grouped": ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M",
                "Q5_K_S", "Q5_K_M", "Q6_K", "IQ4_NL", "IQ4_XS", "IQ2_XXS"],
    "tied": ["Q4_K_M", "Q2_K", "IQ2_XXS"],
    "fallback": ["Q4_0", "Q2_K", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS", "IQ2_XXS"],
    "experts": ["Q2_K", "Q3_K_M", "Q4_K_M", "Q6_K", "MXFP4_MOE", "IQ2_XXS"],
}  # fmt: skip
CASES = {  # layers, heads, kv heads, width, inner, experts, tied
    "grouped": (20, 4, 1, 256, 512, 0, False),
    "tied": (9, 4, 2, 256, 256, 0, True),
    "fallback": (8, 4, 2, 288, 272, 0, False),
    "experts": (8, 4, 2, 256, 256, 8, False),
}
VOCAB = 32


def write(path: Path, case: tuple) -> None:
    layers, heads, kv_heads, width, inner, experts, tied = case
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCAB)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(size=shape).astype(np.float32))

    kv = width // heads * kv_heads
    add("token_embd.weight", VOCAB, width)
    add("output_norm.weight", width)
    if not tied:
        add("output.weight", VOCAB, width)
    for i in range(layers):
        b = f"blk.{i}."
        add(b + "attn_norm.weight", width)
        add(b + "attn_q.weight", width, width)
        add(b + "attn_k.weight", kv, width)
        add(b + "attn_v.weight", kv, width)
        add(b + "attn_output.weight", width, width)
        add(b + "ffn_norm.weight", width)
        if experts:
            add(b + "ffn_gate_inp.weight", experts, width)
            add(b + "ffn_gate_exps.weight", experts, inner, width)
            add(b + "ffn_up_exps.weight", experts, inner, width)
            add(b + "ffn_down_exps.weight", experts, width, inner)
        else:
            add(b + "ffn_gate.weight", inner, width)
            add(b + "ffn_up.weight", inner, width)
            add(b + "ffn_down.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_equal_importances(path: Path, tensors: list) -> None:
    """llama.cpp's file of importances, all of them 1; IQ2_XXS is not made without one."""
    matrices = [t for t in tensors if len(t.shape) > 1]
    with open(path, "wb") as out:
        out.write(struct.pack("<i", len(matrices)))
        for t in matrices:
            count = int(t.shape[0]) * (int(t.shape[2]) if len(t.shape) > 2 else 1)
            out.write(struct.pack("<i", len(t.name)) + t.name.encode())
            out.write(struct.pack(f"<ii{count}f", 1, count, *[1.0] * count))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, made, ones = (Path(folder) / name for name in ("source.gguf", "made.gguf", "ones.dat"))
        for name, case in CASES.items():
            write(source, case)
            write_equal_importances(ones, gguf.GGUFReader(source).tensors)
            order = [t.name for t in gguf.GGUFReader(source).tensors]
            for kind in TYPES[name]:
                importances = ["--imatrix", str(ones)] if kind.startswith("IQ2") else []
                subprocess.run([sys.argv[1], *importances, str(source), str(made), kind, "1"], check=True, capture_output=True)
                types = {t.name: t.tensor_type.name for t in gguf.GGUFReader(made).tensors}
                runs = [(key, len(list(group))) for key, group in itertools.groupby(types[n] for n in order)]
                print(name, kind, *(f"{count}*{key}" if count > 1 else key for key, count in runs), flush=True)


if __name__ == "__main__":
    main()
