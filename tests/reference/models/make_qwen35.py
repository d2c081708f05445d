# SPDX-License-Identifier: Apache-2.0
"""Tiny Qwen3.5 checkpoints (text), and GGUF files made from them.

  python3 tests/reference/models/make_qwen35.py OUT_DIR [NAME ...]

transformers runs the Gated DeltaNet layers of a whole prompt in chunks of 64 tokens; the prompts here are shorter and
longer than one chunk. qwen35_multimodal is laid out as published: beside the text model there are a vision tower and the
tensors of the multi-token prediction head (mtp.*), which nothing reads.
"""

from pathlib import Path

import torch
from transformers import (
    Qwen3_5Config, Qwen3_5ForCausalLM, Qwen3_5ForConditionalGeneration, Qwen3_5TextConfig,
)  # fmt: skip

import gguf_export as ge
from common import Checkpoint, run
from make_llama import TENSOR_NAMES, TOP_NAMES

NAMES = TENSOR_NAMES | {
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "linear_attn.in_proj_qkv": "attn_qkv",
    "linear_attn.in_proj_z": "attn_gate",
    "linear_attn.in_proj_b": "ssm_beta",
    "linear_attn.in_proj_a": "ssm_alpha",
    "linear_attn.conv1d": "ssm_conv1d",
    "linear_attn.dt_bias": "ssm_dt.bias",
    "linear_attn.A_log": "ssm_a",
    "linear_attn.norm": "ssm_norm",
    "linear_attn.out_proj": "ssm_out",
}


def tile_value_heads(name: str, tensor: torch.Tensor, c: Qwen3_5TextConfig) -> torch.Tensor:
    """GGUF has value heads ordered so that head j belongs to key head j % key_heads; safetensors j // (values per key)."""
    keys, values = c.linear_num_key_heads, c.linear_num_value_heads

    def tile(t: torch.Tensor, head_dim: int) -> torch.Tensor:
        return t.unflatten(0, (keys, values // keys, head_dim)).transpose(0, 1).flatten(0, 2)

    d = c.linear_value_head_dim
    if ".in_proj_qkv." in name or ".conv1d." in name:
        first = 2 * keys * c.linear_key_head_dim
        return torch.cat([tensor[:first], tile(tensor[first:], d)])
    if ".in_proj_z." in name:
        return tile(tensor, d)
    if any(s in name for s in (".in_proj_a.", ".in_proj_b.", ".A_log", ".dt_bias")):
        return tile(tensor, 1)
    if ".linear_attn.out_proj." in name:
        return tile(tensor.T.contiguous(), d).T.contiguous()
    return tensor


def to_gguf(name: str, tensor: torch.Tensor, c: Qwen3_5TextConfig) -> torch.Tensor:
    tensor = tile_value_heads(name, tensor, c)
    if name.endswith(".A_log"):
        return -torch.exp(tensor)
    if ".conv1d." in name:
        return tensor.squeeze(1)
    if name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight"):
        return tensor + 1
    return tensor


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config.get_text_config()
    fields = {
        "block_count": c.num_hidden_layers,
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": c.num_key_value_heads,
        "rope.dimension_sections": [*c.rope_parameters["mrope_section"], 0],
        "rope.freq_base": float(c.rope_parameters["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
        "attention.key_length": c.head_dim,
        "attention.value_length": c.head_dim,
        "ssm.conv_kernel": c.linear_conv_kernel_dim,
        "ssm.state_size": c.linear_key_head_dim,
        "ssm.group_count": c.linear_num_key_heads,
        "ssm.time_step_rank": c.linear_num_value_heads,
        "ssm.inner_size": c.linear_value_head_dim * c.linear_num_value_heads,
        "attention.recurrent_layers": [kind == "linear_attention" for kind in c.layer_types],
        "full_attention_interval": c.layer_types.index("full_attention") + 1,
        "rope.dimension_count": int(c.head_dim * c.rope_parameters["partial_rotary_factor"]),
    }
    tensors = {}
    for name, tensor in state.items():
        if not name.startswith(("model.visual.", "mtp.")):
            plain = name.replace("model.language_model.", "model.")
            tensors[ge.rename(plain, TOP_NAMES, NAMES)] = to_gguf(name, tensor.float(), c)
    keep = lambda name: "ssm_conv1d" in name  # noqa: E731
    ge.write(folder / "model.gguf", "qwen35", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype), keep)


def decay(name: str, tensor: torch.Tensor, g: torch.Generator) -> torch.Tensor | None:
    """Decay rates from slow to fast and time steps of every size; the rest as usual."""
    if name.endswith(".A_log"):
        return torch.log(0.05 + 1.5 * torch.rand(tensor.shape, generator=g))
    if name.endswith(".dt_bias"):
        return torch.randn(tensor.shape, generator=g)
    return None


def text(interval: int, **changes) -> Qwen3_5TextConfig:
    settings = dict(
        vocab_size=272, hidden_size=48, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, linear_key_head_dim=16, linear_value_head_dim=16, linear_num_key_heads=2,
        linear_num_value_heads=2, linear_conv_kernel_dim=4, max_position_embeddings=512, rms_norm_eps=1e-6,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, full_attention_interval=interval,
        rope_parameters={"rope_type": "default", "rope_theta": 10000000.0, "partial_rotary_factor": 0.25,
                         "mrope_section": [2, 1, 1], "mrope_interleaved": True},
    )  # fmt: skip
    return Qwen3_5TextConfig(**(settings | changes))


def published(config: dict) -> None:
    c = config.get("text_config", config)
    c["full_attention_interval"] = c["layer_types"].index("full_attention") + 1
    if c is not config:
        c["mtp_num_hidden_layers"] = 1


def mtp_head(state: dict[str, torch.Tensor], checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """Random tensors of the shapes of a prediction head: one full-attention layer, three norms and a projection."""
    c = checkpoint.config.text_config
    layer = f"model.language_model.layers.{c.layer_types.index('full_attention')}."
    shapes = {name.replace(layer, "mtp.layers.0."): t.shape for name, t in state.items() if name.startswith(layer)}
    shapes |= {f"mtp.{n}.weight": (c.hidden_size,) for n in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm")}
    shapes["mtp.fc.weight"] = (c.hidden_size, 2 * c.hidden_size)
    g = torch.Generator().manual_seed(99)
    return {name: 0.2 * torch.randn(shape, generator=g).to(checkpoint.dtype) for name, shape in shapes.items()}


VISION = dict(
    depth=1, hidden_size=16, intermediate_size=16, num_heads=2, patch_size=4, spatial_merge_size=2, temporal_patch_size=2,
    out_hidden_size=48, num_position_embeddings=16,
)  # fmt: skip
IDS = dict(image_token_id=270, video_token_id=269, vision_start_token_id=268, vision_end_token_id=267)
COMMON = dict(randomise=decay, config_edit=published, config_style="v5", dtype=torch.bfloat16, embedding_std=0.15)

CHECKPOINTS = [
    # 0.8B and 2B: as many value heads as key heads, tied.
    Checkpoint("qwen35_multimodal", Qwen3_5Config(text_config=text(4).to_dict(), vision_config=VISION, tie_word_embeddings=True,
                                                  **IDS),
               Qwen3_5ForConditionalGeneration, prompt_length=80, gguf=write_gguf, extra_tensors=mtp_head,
               **COMMON),
    # 4B and 9B: several value heads for each key head, own output matrix.
    Checkpoint("qwen35_grouped", text(2, linear_num_value_heads=6, num_attention_heads=2, num_key_value_heads=1,
                                      tie_word_embeddings=False),
               Qwen3_5ForCausalLM, prompt_length=40, gguf=write_gguf, **COMMON),
    # Value heads of another size than key heads; three chunks.
    Checkpoint("qwen35_chunks", text(3, linear_value_head_dim=24, linear_num_value_heads=4, num_hidden_layers=3,
                                     num_attention_heads=2, num_key_value_heads=1, linear_conv_kernel_dim=3),
               Qwen3_5ForCausalLM, prompt_length=150, **COMMON),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
