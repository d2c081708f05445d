# SPDX-License-Identifier: Apache-2.0
"""Tiny Qwen2.5 checkpoints, and GGUF files made from them.

  python3 tests/reference/models/make_qwen2.py OUT_DIR [NAME ...]
"""

from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

import gguf_export as ge
from common import Checkpoint, run
from make_llama import TENSOR_NAMES, TOP_NAMES


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c, rope = checkpoint.config, checkpoint.config.rope_parameters
    fields = {
        "block_count": c.num_hidden_layers,
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": c.num_key_value_heads,
        "rope.freq_base": float(rope["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
    }
    if rope["rope_type"] == "yarn":
        fields |= {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": rope["factor"],
            "rope.scaling.original_context_length": rope["original_max_position_embeddings"],
        }
    tensors = {ge.rename(name, TOP_NAMES, TENSOR_NAMES): tensor for name, tensor in state.items()}
    ge.write(folder / "model.gguf", "qwen2", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype))


def inert_window(config: dict) -> None:
    """Published configs name a sliding window and switch it off; here it is one that would matter."""
    config |= {"sliding_window": 4, "use_sliding_window": False}
    config.pop("layer_types")


def qwen2(name: str, dtype: torch.dtype, **changes) -> Checkpoint:
    settings = dict(
        vocab_size=272, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, max_window_layers=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
    )  # fmt: skip
    config = Qwen2Config(**(settings | changes))
    return Checkpoint(name, config, Qwen2ForCausalLM, dtype, config_edit=inert_window, gguf=write_gguf)


YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 128}

CHECKPOINTS = [
    qwen2("qwen2_tied", torch.bfloat16),
    qwen2("qwen2_yarn", torch.bfloat16, tie_word_embeddings=False, num_attention_heads=3, num_key_value_heads=1,
          max_position_embeddings=512, rope_parameters=YARN),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
