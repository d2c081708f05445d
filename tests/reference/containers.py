# SPDX-License-Identifier: Apache-2.0
"""Writes the small checkpoints of tests/data/io with the reference packages.

    pip install gguf numpy safetensors
    python tests/reference/containers.py tests/data/io

Every tensor holds 0, 1, 2, ... in its element type, times 0.25 and less 8, so that a test can tell what it must read.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import quantize
from safetensors.numpy import save_file


def ramp(*shape):
    return (np.arange(np.prod(shape), dtype=np.float32) * 0.25 - 8).reshape(shape)


def write_gguf(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_block_count(2)
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_int64("test.i64", -(2**62))
    writer.add_float32("test.f32", 0.5)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.true", True)
    writer.add_bool("test.false", False)
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "", "\u2581a", "b"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.0, -3.0])
    writer.add_array("tokenizer.ggml.token_type", [3, 1, 1, 6])
    writer.add_tensor("scalar_like", ramp(1))
    writer.add_tensor("matrix.f32", ramp(3, 5))
    writer.add_tensor("matrix.f16", ramp(3, 5).astype(np.float16))
    writer.add_tensor("matrix.bf16", quantize(ramp(3, 6), Type.BF16), raw_dtype=Type.BF16)
    writer.add_tensor("matrix.q8_0", quantize(ramp(2, 64), Type.Q8_0), raw_dtype=Type.Q8_0)
    writer.add_tensor("experts.q4_0", quantize(ramp(2, 3, 32), Type.Q4_0), raw_dtype=Type.Q4_0)
    writer.add_tensor("integers", np.arange(6, dtype=np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_safetensors(folder):
    folder.mkdir(exist_ok=True)
    config = {"model_type": "llama", "hidden_size": 64, "rms_norm_eps": 1e-05, "tie_word_embeddings": True,
              "rope_scaling": {"rope_type": "llama3", "factor": 32.0}, "head_dim": None}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    first = {"model.norm.weight": ramp(4), "matrix.f32": ramp(3, 5), "matrix.f16": ramp(3, 5).astype(np.float16)}
    second = {"conv": ramp(2, 3, 4), "integers": np.arange(6, dtype=np.int64), "patches": ramp(1, 2, 1, 2, 2)}
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    save_file(first, folder / names[0], metadata={"format": "pt"})
    save_file(second, folder / names[1], metadata={"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": {name: names[0] for name in first} | {name: names[1] for name in second}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    write_gguf(folder / "small.gguf")
    write_safetensors(folder / "sharded")
