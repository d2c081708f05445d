# SPDX-License-Identifier: Apache-2.0
"""Tiny Gemma 4 checkpoints (text), and GGUF files made from them.

  python3 tests/reference/models/make_gemma4.py OUT_DIR [NAME ...]

gemma4_e2b and gemma4_moe are laid out as the published multimodal checkpoints are (text_config, model.language_model.*).
gemma4_e2b also holds key and value weights for the layers that share another layer's, as the published ones do; nothing
reads them.
"""

from pathlib import Path

import torch
from transformers import Gemma4Config, Gemma4ForCausalLM, Gemma4ForConditionalGeneration, Gemma4TextConfig

import gguf_export as ge
from common import Checkpoint, run
from make_gemma3 import NAMES as GEMMA3_NAMES
from make_llama import TOP_NAMES

TOP = TOP_NAMES | {
    "model.embed_tokens_per_layer": "per_layer_token_embd",
    "model.per_layer_model_projection": "per_layer_model_proj",
    "model.per_layer_projection_norm": "per_layer_proj_norm",
}
NAMES = GEMMA3_NAMES | {
    "layer_scalar": "layer_output_scale.weight",
    "per_layer_input_gate": "inp_gate",
    "per_layer_projection": "proj",
    "post_per_layer_input_norm": "post_norm",
    "pre_feedforward_layernorm_2": "pre_ffw_norm_2",
    "post_feedforward_layernorm_1": "post_ffw_norm_1",
    "post_feedforward_layernorm_2": "post_ffw_norm_2",
    "router.proj": "ffn_gate_inp",
    "router.scale": "ffn_gate_inp.scale",
    "router.per_expert_scale": "ffn_down_exps.scale",
    "experts.gate_up_proj": "ffn_gate_up_exps.weight",
    "experts.down_proj": "ffn_down_exps.weight",
}


def attention_sizes(c: Gemma4TextConfig, kind: str) -> tuple[int, int]:
    """Head size and kv heads of the full_attention or sliding_attention layers."""
    layer = c.per_layer_config[c.layer_types.index(kind)]
    return layer.head_dim, layer.num_key_value_heads


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config.get_text_config()
    full, sliding = c.rope_parameters["full_attention"], c.rope_parameters["sliding_attention"]
    is_sliding = [kind == "sliding_attention" for kind in c.layer_types]
    global_head_dim, global_kv_heads = attention_sizes(c, "full_attention")
    head_dim, kv_heads = attention_sizes(c, "sliding_attention")
    first_shared = c.num_hidden_layers - c.num_kv_shared_layers
    widths = [c.intermediate_size * (2 if c.use_double_wide_mlp and i >= first_shared else 1) for i in range(c.num_hidden_layers)]
    fields = {
        "block_count": c.num_hidden_layers,
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": widths if c.use_double_wide_mlp else c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": kv_heads,
        "rope.freq_base": float(full["rope_theta"]),
        "rope.freq_base_swa": float(sliding["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
        "attention.sliding_window": c.sliding_window,
        "final_logit_softcapping": c.final_logit_softcapping,
        "attention.shared_kv_layers": c.num_kv_shared_layers,
        "embedding_length_per_layer_input": c.hidden_size_per_layer_input,
        "attention.sliding_window_pattern": is_sliding,
        "attention.key_length": global_head_dim,
        "attention.value_length": global_head_dim,
        "attention.key_length_swa": head_dim,
        "attention.value_length_swa": head_dim,
        "rope.dimension_count": global_head_dim,
        "rope.dimension_count_swa": head_dim,
    }
    if c.attention_k_eq_v:
        fields["attention.head_count_kv"] = [kv_heads if s else global_kv_heads for s in is_sliding]
    if c.enable_moe_block:
        fields["expert_count"] = c.num_experts
        fields["expert_used_count"] = c.top_k_experts
        fields["expert_feed_forward_length"] = c.moe_intermediate_size
    rotated = int(global_head_dim * full["partial_rotary_factor"] / 2)
    tensors = {"rope_freqs.weight": torch.tensor([1.0] * rotated + [1e30] * (global_head_dim // 2 - rotated))}
    for name, tensor in state.items():
        tensors[ge.rename(name.replace("model.language_model.", "model."), TOP, NAMES)] = tensor
    keep = lambda name: "ffn_gate_inp" in name or name == "per_layer_model_proj.weight"  # noqa: E731
    ge.write(folder / "model.gguf", "gemma4", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype), keep)


def text(pattern: str, **changes) -> Gemma4TextConfig:
    """`pattern` has s for a sliding and f for a full layer."""
    kinds = {"s": "sliding_attention", "f": "full_attention"}
    settings = dict(
        vocab_size=272, vocab_size_per_layer_input=272, hidden_size=32, intermediate_size=48, num_hidden_layers=len(pattern),
        num_attention_heads=4, num_key_value_heads=1, head_dim=16, global_head_dim=32, sliding_window=8,
        max_position_embeddings=512, rms_norm_eps=1e-6, hidden_size_per_layer_input=0, final_logit_softcapping=30.0,
        layer_types=[kinds[k] for k in pattern], bos_token_id=1, eos_token_id=2, tie_word_embeddings=True,
        rope_parameters={
            "full_attention": {"rope_type": "proportional", "rope_theta": 1000000.0, "partial_rotary_factor": 0.25},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    )  # fmt: skip
    return Gemma4TextConfig(**(settings | changes))


def published(config: dict) -> None:
    """The sizes of full layers under keys of their own instead of a table of exceptions."""
    c = config.get("text_config", config)
    table = c.pop("per_layer_config", None)
    if table:
        full = next(iter(table.values()))
        c["global_head_dim"] = full["head_dim"]
        c["num_global_key_value_heads"] = full.get("num_key_value_heads")
    for key in ("num_experts", "top_k_experts", "moe_intermediate_size"):
        c.setdefault(key, None)


def unused_keys_and_values(state: dict[str, torch.Tensor], checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """Key and value tensors for the layers that have none in transformers."""
    c = checkpoint.config.get_text_config()
    g = torch.Generator().manual_seed(99)
    out = {}
    for i in range(c.num_hidden_layers - c.num_kv_shared_layers, c.num_hidden_layers):
        like = c.layer_types.index(c.layer_types[i])
        for part in ("k_proj", "v_proj", "k_norm"):
            source = state[f"model.language_model.layers.{like}.self_attn.{part}.weight"]
            name = f"model.language_model.layers.{i}.self_attn.{part}.weight"
            out[name] = torch.randn(source.shape, generator=g).to(source.dtype)
    return out


SMALL = dict(embedding_std=0.15, min_distinct=8)

CHECKPOINTS = [
    Checkpoint(
        "gemma4_e2b",
        Gemma4Config(text_config=text("sfsffsf", num_kv_shared_layers=3, use_double_wide_mlp=True,
                                      hidden_size_per_layer_input=8), image_token_id=270, audio_token_id=269,
                     video_token_id=268, boi_token_id=267, eoi_token_id=266, boa_token_id=265, eoa_token_index=264),
        Gemma4ForConditionalGeneration, torch.bfloat16, config_style="v5", config_edit=published, gguf=write_gguf,
        extra_tensors=unused_keys_and_values, **SMALL,
    ),
    Checkpoint("gemma4_e4b", text("ssfsf", num_kv_shared_layers=2, num_key_value_heads=2, hidden_size_per_layer_input=16,
                                  final_logit_softcapping=2.0),
               Gemma4ForCausalLM, torch.bfloat16, config_style="v5", gguf=write_gguf, **SMALL),
    Checkpoint(
        "gemma4_moe",
        Gemma4Config(text_config=text("sfsf", enable_moe_block=True, num_experts=5, top_k_experts=2,
                                      moe_intermediate_size=32, attention_k_eq_v=True, num_key_value_heads=2,
                                      num_global_key_value_heads=1, use_bidirectional_attention="vision"),
                     image_token_id=270, audio_token_id=269, video_token_id=268, boi_token_id=267, eoi_token_id=266,
                     boa_token_id=265, eoa_token_index=264),
        Gemma4ForConditionalGeneration, torch.bfloat16, config_style="v5", config_edit=published, gguf=write_gguf, **SMALL,
    ),
    Checkpoint("gemma4_dense", text("sssf", attention_k_eq_v=True, num_key_value_heads=4, num_global_key_value_heads=2,
                                    hidden_size=48, use_bidirectional_attention="vision"),
               Gemma4ForCausalLM, torch.bfloat16, config_style="v5", config_edit=published, gguf=write_gguf, **SMALL),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
