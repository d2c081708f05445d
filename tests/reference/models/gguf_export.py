# SPDX-License-Identifier: Apache-2.0
"""Writing and reading GGUF with the `gguf` package, under the names and keys llama.cpp's converter uses."""

from pathlib import Path

import gguf
import numpy as np
import torch

import tiny_tokenizer

Type = gguf.GGMLQuantizationType
FILE_TYPES = {
    Type.F32: gguf.LlamaFileType.ALL_F32,
    Type.F16: gguf.LlamaFileType.MOSTLY_F16,
    Type.BF16: gguf.LlamaFileType.MOSTLY_BF16,
    Type.Q4_0: gguf.LlamaFileType.MOSTLY_Q4_0,
    Type.Q4_1: gguf.LlamaFileType.MOSTLY_Q4_1,
    Type.Q5_0: gguf.LlamaFileType.MOSTLY_Q5_0,
    Type.Q5_1: gguf.LlamaFileType.MOSTLY_Q5_1,
    Type.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
}


def type_of(dtype: torch.dtype) -> Type:
    """The GGUF type that keeps a dtype's values as they are."""
    return {torch.float32: Type.F32, torch.float16: Type.F16, torch.bfloat16: Type.BF16}[dtype]


def rename(name: str, top: dict[str, str], layer: dict[str, str], layers: str = "model.layers.") -> str:
    """model.layers.3.self_attn.q_proj.weight -> blk.3.attn_q.weight; `top` names what is outside the layers.

    Keys of both tables are names without their last part (weight or bias), or whole names.
    """
    stem, _, kind = name.rpartition(".")
    if not name.startswith(layers):
        return top[name] if name in top else f"{top[stem]}.{kind}"
    index, _, rest = name[len(layers) :].partition(".")
    stem = rest.rpartition(".")[0]
    return f"blk.{index}." + (layer[rest] if rest in layer else f"{layer[stem]}.{kind}")


def interleave_halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Row order of q and k for the interleaved RoPE of the `llama` architecture: rows i and i + d/2 become 2i, 2i + 1."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape).contiguous()


def split_halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Inverse of interleave_halves."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(weight.shape).contiguous()


def add_field(writer: gguf.GGUFWriter, key: str, value) -> None:
    """Integers as u32, floats as f32, lists of one of these as arrays: the types llama.cpp's readers ask for."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    else:
        raise TypeError(f"{key}: {type(value).__name__}")


def write(path: Path, architecture: str, fields: dict, tensors: dict[str, torch.Tensor], vocab: int,
          kind: Type = Type.F32, keep_f32=lambda name: False, add_tokenizer=tiny_tokenizer.add_to_gguf) -> None:  # fmt: skip
    """One GGUF file. `fields` are the architecture's keys without its prefix; a key with "general." stays as it is.

    Tensors of two and more dimensions are stored as `kind`, others and those `keep_f32` names as F32.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_name("tiny random model")  # llama.cpp treats vocabularies by some words in the name
    for key, value in fields.items():
        add_field(writer, key if key.startswith("general.") else f"{architecture}.{key}", value)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(writer, vocab)
    for name, tensor in tensors.items():
        data = tensor.float().numpy()
        if tensor.dim() < 2 or kind == Type.F32 or keep_f32(name):
            writer.add_tensor(name, np.ascontiguousarray(data, dtype=np.float32))
        else:
            writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_dequantized(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a GGUF file as float32."""
    out = {}
    for t in gguf.GGUFReader(path).tensors:
        values = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        out[t.name] = torch.from_numpy(values.reshape(tuple(int(n) for n in reversed(t.shape))).copy())
    return out
