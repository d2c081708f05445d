# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/quant/blocks.txt: blocks of every format with what the `gguf` package makes of them.

    pip install gguf numpy
    python tests/reference/blocks.py tests/data/quant/blocks.txt

Every line is `decode|encode TYPE BLOCKS FLOATS`, both in hexadecimal as they lie in memory. `decode` lines hold random
blocks and the floats they stand for; `encode` lines hold floats and the blocks the reference quantizer makes.
"""

import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

# Where the half-precision fields of a block are.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
    Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.MXFP4: [], Type.IQ2_XXS: [0],
}  # fmt: skip
# Decoded only; their lines come last.
DECODED = [Type.IQ2_XXS]
ENCODED = [Type.BF16, Type.F16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.MXFP4]


def line(what, kind, blocks, floats):
    return f"{what} {kind.name.lower()} {blocks.tobytes().hex()} {floats.astype(np.float32).tobytes().hex()}\n"


def random_blocks(rng, kind, count):
    blocks = rng.integers(0, 256, (count, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for field, at in enumerate(HALVES[kind]):
        scale = rng.normal(0, 0.05, count).astype(np.float16)
        # The first blocks have extreme scales: the least subnormal, a zero and the greatest.
        scale[:3] = np.roll(np.array([6e-8, -0.0, 65504 / 2], np.float16), field)
        blocks[:, at : at + 2] = scale[:, None].view(np.uint8)
    if kind == Type.MXFP4:
        blocks[:5, 0] = [0, 1, 2, 3, 250]
    return blocks


def inputs(rng, weights):
    """Rows whose quantization is simple, and rows at the edges: zeros, ties, equal magnitudes, one outlier, tiny, huge."""
    ramp = np.arange(weights, dtype=np.float32)
    rows = [rng.normal(0, 0.02, weights) for _ in range(4)]
    rows += [np.zeros(weights), np.full(weights, 0.25), np.full(weights, -3.0)]
    rows += [(ramp - 16) / 2, np.where(ramp % 2, 1, -1) * 0.7, np.where(ramp == 5, 100, 0.01 * ramp), ramp * 1e-6]
    rows += [rng.normal(0, 900, weights), -np.abs(rng.normal(0, 1, weights)), 1 + np.abs(rng.normal(0, 1, weights))]
    return np.array(rows, np.float32)


def main(path):
    rng = np.random.default_rng(20240521)

    def write_decoded(file, kind):
        blocks = random_blocks(rng, kind, 8 if GGML_QUANT_SIZES[kind][0] == 32 else 5)
        floats = dequantize(blocks, kind)
        assert np.isfinite(floats).all(), kind
        for block, expected in zip(blocks, floats):
            file.write(line("decode", kind, block, expected))

    with open(path, "w", encoding="ascii", newline="\n") as file:
        for kind in HALVES:
            if kind not in DECODED:
                write_decoded(file, kind)
        for kind in ENCODED:
            weights = max(32, GGML_QUANT_SIZES[kind][0])
            for row in inputs(rng, weights):
                with np.errstate(over="ignore"):
                    file.write(line("encode", kind, quantize(row[None], kind), row))
        for kind in DECODED:
            write_decoded(file, kind)


if __name__ == "__main__":
    main(sys.argv[1])
