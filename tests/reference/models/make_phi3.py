# SPDX-License-Identifier: Apache-2.0
"""Tiny Phi-3 / Phi-3.5 / Phi-4 checkpoints, and GGUF files made from them.

  python3 tests/reference/models/make_phi3.py OUT_DIR [NAME ...]

With LongRoPE, transformers chooses between the short and the long factors by the length of the sequence it sees:
expected.safetensors stays within original_max_position_embeddings (continuation included), expected.long.safetensors
begins past it.
"""

import math
from pathlib import Path

import torch
from transformers import Phi3Config, Phi3ForCausalLM

import gguf_export as ge
from common import Checkpoint, run
from make_llama import TENSOR_NAMES, TOP_NAMES

NAMES = TENSOR_NAMES | {"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"}


def rotary_dims(c: Phi3Config) -> int:
    return int(c.rope_parameters["partial_rotary_factor"] * c.hidden_size) // c.num_attention_heads


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c, rope = checkpoint.config, checkpoint.config.rope_parameters
    fields = {
        "context_length": c.max_position_embeddings,
        "rope.scaling.original_context_length": c.original_max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "block_count": c.num_hidden_layers,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": c.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
        "rope.dimension_count": rotary_dims(c),
        "rope.freq_base": float(rope["rope_theta"]),
        "attention.sliding_window": c.sliding_window or 0,
    }
    tensors = {}
    if rope["rope_type"] == "longrope":
        scale = c.max_position_embeddings / c.original_max_position_embeddings
        fields["rope.scaling.attn_factor"] = math.sqrt(1 + math.log(scale) / math.log(c.original_max_position_embeddings))
        tensors["rope_factors_long.weight"] = torch.tensor(rope["long_factor"])
        tensors["rope_factors_short.weight"] = torch.tensor(rope["short_factor"])
    tensors |= {ge.rename(name, TOP_NAMES, NAMES): tensor for name, tensor in state.items()}
    ge.write(folder / "model.gguf", "phi3", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype))


def long_rope(pairs: int) -> dict:
    """Factors that grow with the wavelength, as published ones do."""
    position = [i / (pairs - 1) for i in range(pairs)]
    return {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [round(1.0 + 0.6 * p, 4) for p in position],
        "long_factor": [round(1.05 + 30.0 * p * p, 4) for p in position],
    }


def published(config: dict) -> None:
    """Phi keeps the original context and the rotary fraction at the top level and calls the scaling's type `type`."""
    scaling = config.get("rope_scaling")
    if scaling:
        config["rope_scaling"] = {k: scaling[k] for k in ("short_factor", "long_factor")} | {"type": "longrope"}


def phi3(name: str, dtype: torch.dtype, rope: dict, extra: dict[str, int] | None = None, **changes) -> Checkpoint:
    settings = dict(
        vocab_size=272, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=1280, original_max_position_embeddings=40, rms_norm_eps=1e-5,
        sliding_window=None, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        partial_rotary_factor=1.0, rope_parameters=dict(rope),
    )  # fmt: skip
    config = Phi3Config(**(settings | changes))
    return Checkpoint(name, config, Phi3ForCausalLM, dtype, prompt_length=16 if extra else 32, extra_prompts=extra or {},
                      config_edit=published, gguf=write_gguf)  # fmt: skip


PLAIN = {"rope_type": "default", "rope_theta": 10000.0}

CHECKPOINTS = [
    phi3("phi3_longrope", torch.bfloat16, long_rope(6), {"long": 56}),  # Phi-3.5-mini: as many kv heads as heads
    phi3("phi3_partial_longrope", torch.bfloat16, long_rope(6), {"long": 56}, partial_rotary_factor=0.75, hidden_size=64,
         num_key_value_heads=2, tie_word_embeddings=True),  # Phi-4-mini
    phi3("phi3_plain", torch.bfloat16, {"rope_type": "default", "rope_theta": 250000.0}, hidden_size=64,
         num_key_value_heads=1, max_position_embeddings=512, original_max_position_embeddings=512),  # Phi-4
    phi3("phi3_window", torch.bfloat16, PLAIN, sliding_window=7, max_position_embeddings=512,
         original_max_position_embeddings=512),  # Phi-3-mini-4k
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
