# SPDX-License-Identifier: Apache-2.0
"""Tiny Qwen3 and Qwen3-MoE checkpoints, and GGUF files made from them.

  python3 tests/reference/models/make_qwen3.py OUT_DIR [NAME ...]
"""

from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

import gguf_export as ge
from common import Checkpoint, run
from make_llama import TENSOR_NAMES, TOP_NAMES

NAMES = TENSOR_NAMES | {
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate": "ffn_gate_inp",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
}


def stack_experts(state: dict[str, torch.Tensor], experts: int) -> dict[str, torch.Tensor]:
    """mlp.experts.K.NAME of all K become one mlp.experts.NAME with the expert as its first dimension."""
    out = {}
    for name, tensor in state.items():
        if ".experts." not in name:
            out[name] = tensor
        elif ".experts.0." in name:
            parts = [state[name.replace(".experts.0.", f".experts.{k}.")] for k in range(experts)]
            out[name.replace(".experts.0.", ".experts.")] = torch.stack(parts)
    return out


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config
    moe = isinstance(c, Qwen3MoeConfig)
    fields = {
        "block_count": c.num_hidden_layers,
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": c.num_key_value_heads,
        "rope.freq_base": float(c.rope_parameters["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(c.rms_norm_eps),
        "attention.key_length": c.head_dim,
        "attention.value_length": c.head_dim,
    }
    if moe:
        fields["expert_count"] = c.num_experts
        fields["expert_used_count"] = c.num_experts_per_tok
        fields["expert_feed_forward_length"] = c.moe_intermediate_size
        state = stack_experts(state, c.num_experts)
    tensors = {ge.rename(name, TOP_NAMES, NAMES): tensor for name, tensor in state.items()}
    keep = lambda name: "ffn_gate_inp" in name  # noqa: E731
    ge.write(folder / "model.gguf", "qwen3moe" if moe else "qwen3", fields, tensors, c.vocab_size,
             ge.type_of(checkpoint.dtype), keep)  # fmt: skip


def settings(**changes) -> dict:
    return dict(
        vocab_size=272, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, attention_bias=False, bos_token_id=1, eos_token_id=2,
    ) | changes  # fmt: skip


def published_moe_keys(config: dict) -> None:
    config["num_experts"] = config.pop("num_local_experts")


def moe(name: str, dtype: torch.dtype, **changes) -> Checkpoint:
    values = settings(
        num_experts=5, num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True, head_dim=16,
        tie_word_embeddings=False, decoder_sparse_step=1, mlp_only_layers=[],
    ) | changes  # fmt: skip
    return Checkpoint(name, Qwen3MoeConfig(**values), Qwen3MoeForCausalLM, dtype,
                      config_edit=published_moe_keys, gguf=None if values["mlp_only_layers"] else write_gguf)  # fmt: skip


def dense(name: str, dtype: torch.dtype, style="v4", **changes) -> Checkpoint:
    config = Qwen3Config(**settings(**changes))
    return Checkpoint(name, config, Qwen3ForCausalLM, dtype, config_style=style, gguf=write_gguf)


CHECKPOINTS = [
    dense("qwen3_tied", torch.bfloat16, hidden_size=48),
    dense("qwen3_untied", torch.bfloat16, "v5", hidden_size=48, tie_word_embeddings=False, head_dim=16),
    moe("qwen3_moe", torch.bfloat16),
    moe("qwen3_moe_mixed", torch.bfloat16, norm_topk_prob=False, mlp_only_layers=[1], num_hidden_layers=3, hidden_size=48,
        num_experts=4, num_experts_per_tok=3, tie_word_embeddings=True),
]

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
