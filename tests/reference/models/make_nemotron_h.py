# SPDX-License-Identifier: Apache-2.0
"""Tiny Nemotron-H checkpoints (Mamba-2, attention, squared-ReLU MLP, mixture of experts), and GGUF files made from them.

  python3 tests/reference/models/make_nemotron_h.py OUT_DIR [NAME ...]

The prompts are longer than chunk_size, so transformers' scan passes state from chunk to chunk. transformers clamps the
time step at time_step_min where the deployed kernels do not; no time step here is that small, which is checked.
config.json of nemotron_h_dense has a bare Infinity, as published ones do: not JSON by the book. nemotron_h_groups has it
the way transformers 5 spells it.
"""

from pathlib import Path

import torch
from transformers import NemotronHConfig, NemotronHForCausalLM

import gguf_export as ge
from common import Checkpoint, causal_files, run
from make_qwen3 import stack_experts

TOP = {"backbone.embeddings": "token_embd", "backbone.norm_f": "output_norm", "lm_head": "output"}
NAMES = {
    "norm": "attn_norm",
    "mixer.in_proj": "ssm_in",
    "mixer.conv1d": "ssm_conv1d",
    "mixer.dt_bias": "ssm_dt.bias",
    "mixer.A_log": "ssm_a",
    "mixer.D": "ssm_d",
    "mixer.norm": "ssm_norm",
    "mixer.out_proj": "ssm_out",
    "mixer.q_proj": "attn_q",
    "mixer.k_proj": "attn_k",
    "mixer.v_proj": "attn_v",
    "mixer.o_proj": "attn_output",
    "mixer.up_proj": "ffn_up",
    "mixer.down_proj": "ffn_down",
    "mixer.gate": "ffn_gate_inp",
    "mixer.gate.e_score_correction_bias": "exp_probs_b.bias",
    "mixer.experts.up_proj": "ffn_up_exps",
    "mixer.experts.down_proj": "ffn_down_exps",
    "mixer.shared_experts.up_proj": "ffn_up_shexp",
    "mixer.shared_experts.down_proj": "ffn_down_shexp",
}


def to_gguf(name: str, tensor: torch.Tensor, c: NemotronHConfig) -> torch.Tensor:
    if name.endswith(("q_proj.weight", "k_proj.weight")):  # without RoPE the order is of no consequence; converters permute
        return ge.interleave_halves(tensor, c.num_attention_heads if "q_proj" in name else c.num_key_value_heads)
    if name.endswith("mixer.A_log"):
        return -torch.exp(tensor)[:, None]
    if name.endswith("mixer.D"):
        return tensor[:, None]
    if name.endswith("mixer.conv1d.weight"):
        return tensor.squeeze(1)
    if name.endswith("mixer.norm.weight"):
        return tensor.reshape(c.n_groups, -1)
    return tensor


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config
    kinds = c.layers_block_type
    moe = "moe" in kinds
    width = c.moe_intermediate_size if moe else c.intermediate_size
    fields = {
        "block_count": len(kinds),
        "context_length": 2**20,
        "embedding_length": c.hidden_size,
        "feed_forward_length": [width if kind in ("moe", "mlp") else 0 for kind in kinds],
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": [c.num_key_value_heads if kind == "full_attention" else 0 for kind in kinds],
        "attention.layer_norm_epsilon": float(c.layer_norm_epsilon),
        "attention.layer_norm_rms_epsilon": float(c.layer_norm_epsilon),
        "attention.key_length": c.head_dim,
        "attention.value_length": c.head_dim,
        "vocab_size": c.vocab_size,
        "rope.dimension_count": c.hidden_size // c.num_attention_heads,
        "ssm.conv_kernel": c.conv_kernel,
        "ssm.state_size": c.ssm_state_size,
        "ssm.group_count": c.n_groups,
        "ssm.inner_size": c.mamba_num_heads * c.mamba_head_dim,
        "ssm.time_step_rank": c.mamba_num_heads,
        "rope.scaling.finetuned": False,
    }
    if moe:
        state = stack_experts(state, c.n_routed_experts)
        fields |= {
            "expert_count": c.n_routed_experts,
            "expert_used_count": c.num_experts_per_tok,
            "expert_feed_forward_length": c.moe_intermediate_size,
            "expert_shared_feed_forward_length": c.moe_shared_expert_intermediate_size,
            "expert_shared_count": c.n_shared_experts,
            "expert_weights_norm": c.norm_topk_prob,
            "expert_weights_scale": float(c.routed_scaling_factor),
            "expert_group_count": c.n_group,
            "expert_group_used_count": c.topk_group,
        }
    tensors = {ge.rename(n, TOP, NAMES, "backbone.layers."): to_gguf(n, t.float(), c) for n, t in state.items()}
    keep = lambda name: "ffn_gate_inp" in name or "ssm_conv1d" in name or "ssm_norm" in name or name.endswith(("ssm_a", "ssm_d"))  # noqa: E731, E501
    ge.write(folder / "model.gguf", "nemotron_h_moe" if moe else "nemotron_h", fields, tensors, c.vocab_size,
             ge.type_of(checkpoint.dtype), keep)  # fmt: skip


def state_space(name: str, tensor: torch.Tensor, g: torch.Generator) -> torch.Tensor | None:
    """Decay rates and time steps of every size; the rest as usual."""
    if name.endswith(".A_log"):
        return torch.log(0.1 + 3.0 * torch.rand(tensor.shape, generator=g))
    if name.endswith(".dt_bias"):
        return -1.0 + torch.randn(tensor.shape, generator=g)
    return None


def unclamped(model, checkpoint: Checkpoint, seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """The usual expectations, provided that the clamp of the time step changes nothing."""
    files = causal_files(model, checkpoint, seed)
    if files:
        ids = files["expected.safetensors"]["input_ids"][None]
        for layer in model.modules():
            if hasattr(layer, "time_step_limit"):
                layer.time_step_limit = (0.0, float("inf"))
        with torch.no_grad():
            if not torch.equal(model(ids, use_cache=False).logits[0], files["expected.safetensors"]["logits"]):
                raise RuntimeError(f"{checkpoint.name}: a time step is below time_step_min")
    return files


def published(config: dict) -> None:
    """The pattern of layers as a string; no keys of experts in a model that has none."""
    letters = {"linear_attention": "M", "full_attention": "*", "mlp": "-", "moe": "E"}
    kinds = config.pop("layers_block_type")
    config |= {"hybrid_override_pattern": "".join(letters[k] for k in kinds), "num_hidden_layers": len(kinds)}
    config["norm_eps"] = config["layer_norm_epsilon"]
    if "moe" in kinds:
        del config["time_step_limit"]
    else:
        for key in [k for k in config if "expert" in k or "moe" in k or k in ("n_group", "topk_group", "routed_scaling_factor", "norm_topk_prob")]:  # noqa: E501
            del config[key]


def spelt_infinity(config: dict) -> None:
    config["time_step_limit"] = [0.0, {"__float__": "Infinity"}]


def nemotron(name: str, pattern: str, **changes) -> Checkpoint:
    style = changes.pop("style", "v4")
    gguf = changes.pop("gguf", write_gguf)
    settings = dict(
        hybrid_override_pattern=pattern, vocab_size=272, hidden_size=48, intermediate_size=80, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=512, mamba_num_heads=8, mamba_head_dim=8, n_groups=2,
        ssm_state_size=16, conv_kernel=4, chunk_size=16, tie_word_embeddings=False, layer_norm_epsilon=1e-5,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    experts = dict(
        n_routed_experts=5, num_experts_per_tok=2, moe_intermediate_size=32, moe_shared_expert_intermediate_size=48,
        routed_scaling_factor=2.5, n_group=1, topk_group=1,
    )  # fmt: skip
    config = NemotronHConfig(**(settings | (experts if "E" in pattern else {}) | changes))
    return Checkpoint(name, config, NemotronHForCausalLM, torch.bfloat16, prompt_length=40, randomise=state_space,
                      expectations=unclamped, config_style=style, config_edit=published if style == "v4" else spelt_infinity, gguf=gguf)  # fmt: skip


CHECKPOINTS = [
    nemotron("nemotron_h_dense", "M-M*-M"),
    nemotron("nemotron_h_moe", "MEM*E"),
    # Experts in groups, one group used; one mamba head a group; today's config style.
    nemotron("nemotron_h_groups", "*EM", n_routed_experts=6, n_group=2, norm_topk_prob=False, mamba_num_heads=4,
             mamba_head_dim=16, n_groups=4, num_key_value_heads=1, style="v5", gguf=None),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
