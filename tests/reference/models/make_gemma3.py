# SPDX-License-Identifier: Apache-2.0
"""Tiny Gemma 3 checkpoints (text), and GGUF files made from them.

  python3 tests/reference/models/make_gemma3.py OUT_DIR [NAME ...]

gemma3_linear is laid out as the multimodal 4B is: nested config.json, text weights behind a prefix, a vision tower and a
projector beside them that a text-only reader skips.
"""

from pathlib import Path

import torch
from transformers import (
    Gemma3Config, Gemma3ForCausalLM, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig,
)  # fmt: skip

import gguf_export as ge
from common import Checkpoint, run
from make_llama import TENSOR_NAMES, TOP_NAMES

NAMES = TENSOR_NAMES | {
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config.get_text_config()
    full = c.rope_parameters["full_attention"]
    fields = {
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "block_count": c.num_hidden_layers,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
        "attention.key_length": c.head_dim,
        "attention.value_length": c.head_dim,
        "rope.freq_base": float(full["rope_theta"]),
        "rope.freq_base_swa": float(c.rope_parameters["sliding_attention"]["rope_theta"]),
        "attention.sliding_window": c.sliding_window,
        "attention.head_count_kv": c.num_key_value_heads,
    }
    if full["rope_type"] == "linear":
        fields |= {"rope.scaling.type": "linear", "rope.scaling.factor": full["factor"]}
    tensors = {}
    for name, tensor in state.items():
        name = name.replace("language_model.model.", "model.")
        if name.startswith("model."):
            shift = 1.0 if name.endswith("norm.weight") else 0.0
            tensors[ge.rename(name, TOP_NAMES, NAMES)] = tensor.float() + shift if shift else tensor
    ge.write(folder / "model.gguf", "gemma3", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype))


def text(**changes) -> Gemma3TextConfig:
    settings = dict(
        vocab_size=272, hidden_size=32, intermediate_size=48, num_hidden_layers=7, num_attention_heads=4,
        num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=16, sliding_window=8, max_position_embeddings=512,
        rms_norm_eps=1e-6, bos_token_id=1, eos_token_id=2, rope_parameters=rope(),
    )  # fmt: skip
    return Gemma3TextConfig(**(settings | changes))


def rope(**full) -> dict:
    return {
        "full_attention": {"rope_type": "default", "rope_theta": 1000000.0} | full,
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    }


def published_1b(config: dict) -> None:
    """A pattern length instead of a list of layer types; the local theta has a key of its own."""
    config.pop("layer_types")
    config |= {"sliding_window_pattern": 6, "cache_implementation": "hybrid"}


def published_4b(config: dict) -> None:
    """The published 4B names few text settings; what a reader takes as default there is spelt out here."""
    config["text_config"].pop("layer_types")
    config["text_config"]["sliding_window_pattern"] = 6


VISION = SiglipVisionConfig(
    hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14,
)  # fmt: skip

# The scaled embedding would otherwise outweigh what the layers add, and every continuation would repeat one token.
SMALL = 0.15

CHECKPOINTS = [
    Checkpoint("gemma3_local_global", text(), Gemma3ForCausalLM, torch.bfloat16, config_edit=published_1b, gguf=write_gguf,
               embedding_std=SMALL),
    Checkpoint(
        "gemma3_linear",
        Gemma3Config(
            text_config=text(num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=6,
                             rope_parameters=rope(rope_type="linear", factor=8.0)),
            vision_config=VISION, image_token_index=270, boi_token_index=268, eoi_token_index=269, mm_tokens_per_image=1,
        ),
        Gemma3ForConditionalGeneration,
        torch.bfloat16,
        config_edit=published_4b,
        gguf=write_gguf,
        embedding_std=SMALL,
    ),
    # A score scale that is not head_dim^-0.5 (as in the 27B), an arbitrary layer pattern, and today's config style.
    Checkpoint(
        "gemma3_query_scalar",
        text(query_pre_attn_scalar=29, num_hidden_layers=3, hidden_size=48,
             layer_types=["full_attention", "sliding_attention", "full_attention"]),
        Gemma3ForCausalLM,
        torch.float32,
        config_style="v5",
        embedding_std=0.05,
        min_margin=0.004,
    ),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
