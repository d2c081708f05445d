# SPDX-License-Identifier: Apache-2.0
"""Tiny Mistral, Ministral and Ministral 3 checkpoints, and GGUF files made from them.

  python3 tests/reference/models/make_mistral.py OUT_DIR [NAME ...]

ministral3_yarn is laid out as published: the text model inside a multimodal one, with a vision tower beside it.
"""

from pathlib import Path

import torch
from transformers import (
    Ministral3Config, MinistralConfig, MinistralForCausalLM, Mistral3Config, Mistral3ForConditionalGeneration,
    MistralConfig, MistralForCausalLM, PixtralVisionConfig,
)  # fmt: skip

import gguf_export as ge
import make_llama
from common import Checkpoint, run


def write_ministral3(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config.text_config
    rope = c.rope_parameters
    fields = make_llama.llama_fields(c) | {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": rope["factor"],
        "rope.scaling.original_context_length": rope["original_max_position_embeddings"],
        "rope.scaling.yarn_beta_fast": rope["beta_fast"],
        "rope.scaling.yarn_beta_slow": rope["beta_slow"],
        "rope.scaling.yarn_log_multiplier": rope["mscale_all_dim"],
        "attention.temperature_scale": rope["llama_4_scaling_beta"],
    }
    text = {k.replace("language_model.model.", "model."): v for k, v in state.items() if k.startswith("language_model.model.")}
    tensors = make_llama.to_gguf(c, text)
    ge.write(folder / "model.gguf", "mistral3", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype))


def settings(**changes) -> dict:
    return dict(
        vocab_size=272, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, sliding_window=None, max_position_embeddings=512, rms_norm_eps=1e-5,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, rope_parameters=rope(10000.0),
    ) | changes  # fmt: skip


def rope(theta: float) -> dict:
    return {"rope_type": "default", "rope_theta": theta}


YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 32,
    "max_position_embeddings": 512, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}  # fmt: skip
VISION = PixtralVisionConfig(
    hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, head_dim=8, image_size=28, patch_size=14,
)  # fmt: skip

CHECKPOINTS = [
    # 7B v0.1: a window in every layer.
    Checkpoint("mistral_window", MistralConfig(**settings(sliding_window=9)), MistralForCausalLM, torch.float16,
               prompt_length=40, gguf=make_llama.write_gguf),
    # Nemo and Small: the heads together are narrower than the model; a large theta.
    Checkpoint("mistral_head_dim", MistralConfig(**settings(num_attention_heads=3, num_key_value_heads=1,
               rope_parameters=rope(100000000.0))), MistralForCausalLM, torch.bfloat16, gguf=make_llama.write_gguf),
    # Ministral with windows in some layers.
    Checkpoint("ministral_alternating", MinistralConfig(**settings(sliding_window=6, num_hidden_layers=3, hidden_size=48,
               num_attention_heads=3, num_key_value_heads=1,
               layer_types=["full_attention", "sliding_attention", "sliding_attention"])),
               MinistralForCausalLM, torch.bfloat16, config_style="v5"),
    # Ministral 3: YaRN, and a query scale that grows with the position.
    Checkpoint("ministral3_yarn",
               Mistral3Config(text_config=Ministral3Config(**settings(head_dim=32, num_attention_heads=2,
                              num_key_value_heads=1, hidden_size=48, tie_word_embeddings=True, rope_parameters=YARN)),
                              vision_config=VISION, image_token_index=270, tie_word_embeddings=True),
               Mistral3ForConditionalGeneration, torch.bfloat16, prompt_length=72, config_style="v5", gguf=write_ministral3),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
