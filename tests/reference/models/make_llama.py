# SPDX-License-Identifier: Apache-2.0
"""Tiny Llama checkpoints, and the GGUF files made from them.

  python3 tests/reference/models/make_llama.py OUT_DIR [NAME ...] [--llama-quantize PATH]

llama_wide is stored in every block format. The legacy formats come from the `gguf` package; the K formats and IQ2_XXS are
made by llama.cpp's own tool, given with --llama-quantize:
  llama-quantize --pure llama_wide/base.gguf llama_wide/model.Q4_K.gguf Q4_K
(base.gguf is F32 and is removed afterwards; IQ2_XXS wants importances, which are all alike); without the option these
formats are left out.
Each expected.TYPE.safetensors holds what transformers computes with the *dequantized* weights of model.TYPE.gguf.
"""

import argparse
import shutil
import struct
import subprocess
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

import gguf_export as ge
import tiny_tokenizer
from common import Checkpoint, causal_expectations, reload, run

TENSOR_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    return ge.rename(name, TOP_NAMES, TENSOR_NAMES)


def heads_of(name: str, config) -> int | None:
    """Heads whose rows the `llama` architecture wants interleaved, or None."""
    if ".q_proj." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".k_proj." in name else None


def llama3_divisors(config) -> torch.Tensor:
    """What rope_freqs.weight holds for llama3 scaling: base frequency / scaled frequency, one for each pair."""
    rope = config.rope_parameters
    d = config.head_dim
    base = 1.0 / rope["rope_theta"] ** (torch.arange(0, d, 2, dtype=torch.float64) / d)
    wavelength = 2 * torch.pi / base
    context, low, high = rope["original_max_position_embeddings"], rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = ((context / wavelength - low) / (high - low)).clamp(0, 1)
    return (1.0 / ((1 - smooth) / rope["factor"] + smooth)).float()


def llama_fields(config) -> dict:
    return {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "vocab_size": config.vocab_size,
        "rope.dimension_count": config.head_dim,
    }


def to_gguf(config, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    out = {}
    if config.rope_parameters.get("rope_type") == "llama3":
        out["rope_freqs.weight"] = llama3_divisors(config)
    for name, tensor in state.items():
        heads = heads_of(name, config)
        out[gguf_name(name)] = ge.interleave_halves(tensor, heads) if heads else tensor
    return out


def from_gguf(config, names: list[str], tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Inverse of to_gguf for the tensors called `names`."""
    out = {}
    for name in names:
        tensor, heads = tensors[gguf_name(name)], heads_of(name, config)
        out[name] = ge.split_halves(tensor, heads) if heads else tensor
    return out


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    config, kind = checkpoint.config, ge.type_of(checkpoint.dtype)
    ge.write(folder / "model.gguf", "llama", llama_fields(config), to_gguf(config, state), config.vocab_size, kind)


def expect_dequantized(checkpoint: Checkpoint, state: dict[str, torch.Tensor], file: Path, kind: str) -> None:
    """expected.KIND.safetensors: transformers on the weights that the GGUF file decodes to."""
    folder = file.parent
    model = reload(folder, checkpoint.model_class)
    weights = from_gguf(checkpoint.config, list(state), ge.read_dequantized(file))
    missing = model.load_state_dict(weights, strict=False)
    if missing.unexpected_keys or set(missing.missing_keys) - {"lm_head.weight"}:
        raise RuntimeError(f"{file}: {missing}")
    model.tie_weights()
    prompt = load_file(folder / "expected.safetensors")["input_ids"]
    save_file(causal_expectations(model, prompt, checkpoint.greedy_length), folder / f"expected.{kind}.safetensors")


LEGACY_KINDS = [ge.Type.Q4_0, ge.Type.Q4_1, ge.Type.Q5_0, ge.Type.Q5_1, ge.Type.Q8_0]
TOOL_KINDS = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ2_XXS"]
llama_quantize: list[str] = []


def write_equal_importances(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """The tool's file of importances: a count, then for each name what was called how often, and the columns' sums."""
    matrices = {name: tensor.shape[1] for name, tensor in tensors.items() if tensor.dim() == 2}
    with open(file, "wb") as out:
        out.write(struct.pack("<i", len(matrices)))
        for name, columns in matrices.items():
            out.write(struct.pack("<i", len(name)) + name.encode())
            out.write(struct.pack(f"<ii{columns}f", 1, columns, *[1.0] * columns))


def write_every_block_format(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    config = checkpoint.config
    tensors, fields = to_gguf(config, state), llama_fields(config)
    for kind in LEGACY_KINDS:
        file = folder / f"model.{kind.name}.gguf"
        ge.write(file, "llama", fields, tensors, config.vocab_size, kind)
        expect_dequantized(checkpoint, state, file, kind.name)
    base, ones = folder / "base.gguf", folder / "ones.dat"
    ge.write(base, "llama", fields, tensors, config.vocab_size)
    write_equal_importances(tensors, ones)
    for kind in TOOL_KINDS if llama_quantize else []:
        file = folder / f"model.{kind}.gguf"
        importances = ["--imatrix", ones.name] if kind.startswith("IQ") else []  # the tool puts the name into the file
        # Q3_K alone names the mixture Q3_K_M for the tool; --pure makes every matrix the plain block type.
        command = [*llama_quantize, "--pure", *importances, base.name, file.name, kind]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        expect_dequantized(checkpoint, state, file, kind)
    base.unlink()
    ones.unlink()


def llama(name: str, *, gguf=write_gguf, dtype=torch.float32, rope=None, style="v4", tokenizer=False,
          shard_size=None, **changes) -> Checkpoint:  # fmt: skip
    settings = dict(
        vocab_size=272, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, rope_parameters=rope or {"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip
    config = LlamaConfig(**(settings | changes))
    return Checkpoint(name, config, LlamaForCausalLM, dtype, config_style=style, gguf=gguf,
                      write_tokenizer=tiny_tokenizer.write_tokenizer_json if tokenizer else None,
                      shard_size=shard_size)  # fmt: skip


LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip

CHECKPOINTS = [
    llama("llama_tied", rope={"rope_type": "default", "rope_theta": 100000.0}, tokenizer=True),
    llama("llama_tied_sharded", rope={"rope_type": "default", "rope_theta": 100000.0}, tokenizer=True, gguf=None,
          shard_size="130KB"),
    llama("llama_rope_scaled", tie_word_embeddings=False, rope=LLAMA3_ROPE, head_dim=32, num_attention_heads=2,
          num_key_value_heads=1, vocab_size=261, max_position_embeddings=2048),
    llama("llama_mha", num_key_value_heads=4, intermediate_size=104, style="v5", dtype=torch.float16),
    llama("llama_bias", attention_bias=True, mlp_bias=True, tie_word_embeddings=False, dtype=torch.bfloat16),
    llama("llama_wide", hidden_size=256, intermediate_size=512, num_hidden_layers=1, num_attention_heads=4,
          num_key_value_heads=1, head_dim=64, dtype=torch.bfloat16, gguf=write_every_block_format),
]  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    def remember(path: str) -> str:
        if not shutil.which(path):
            raise argparse.ArgumentTypeError(f"{path} is not a program")
        llama_quantize[:] = [path]
        return path

    parser.add_argument("--llama-quantize", type=remember, metavar="PATH", help="llama.cpp's tool, for the K formats")


if __name__ == "__main__":
    run(__doc__, CHECKPOINTS, options)
