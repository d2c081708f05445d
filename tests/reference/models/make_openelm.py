# SPDX-License-Identifier: Apache-2.0
"""A tiny OpenELM checkpoint, and a GGUF file made from it.

  python3 tests/reference/models/make_openelm.py OUT_DIR

transformers has no OpenELM. The expectations come from the equations written out below; llama.cpp, which knows the
architecture, gives the same logits for the GGUF file (see README.md).
"""

import json
import types
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import linear, silu

import gguf_export as ge
from common import causal_expectations, prompt, run

CONFIG = {
    "activation_fn_name": "swish",
    "architectures": ["OpenELMForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "ffn_dim_divisor": 16,
    "ffn_multipliers": [0.5, 1.2, 2.0],
    "ffn_with_glu": True,
    "head_dim": 16,
    "max_context_length": 512,
    "model_dim": 64,
    "model_type": "openelm",
    "normalization_layer_name": "rms_norm",
    "normalize_qk_projections": True,
    "num_gqa_groups": 2,
    "num_kv_heads": [1, 2, 3],
    "num_query_heads": [2, 4, 6],
    "num_transformer_layers": 3,
    "qkv_multipliers": [0.5, 1.0],
    "rope_freq_constant": 10000,
    "rope_max_length": 1024,
    "share_input_output_layers": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 272,
}
EPSILON = 1e-6
TOP = {"transformer.token_embeddings": "token_embd", "transformer.norm": "output_norm"}
NAMES = {
    "attn.qkv_proj": "attn_qkv",
    "attn.out_proj": "attn_output",
    "attn.q_norm": "attn_q_norm",
    "attn.k_norm": "attn_k_norm",
    "attn_norm": "attn_norm",
    "ffn_norm": "ffn_norm",
    "ffn.proj_2": "ffn_down",
}


def ffn_widths() -> list[int]:
    """Each multiple of the model's width, rounded to a multiple of the divisor but not down by more than a tenth."""
    divisor, widths = CONFIG["ffn_dim_divisor"], []
    for wanted in (m * CONFIG["model_dim"] for m in CONFIG["ffn_multipliers"]):
        width = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
        widths.append(width + divisor if width < 0.9 * wanted else width)
    return widths


def random_weights(seed: int) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    width, d = CONFIG["model_dim"], CONFIG["head_dim"]

    def matrix(rows: int, columns: int, gain: float = 1.0) -> torch.Tensor:
        return gain * columns**-0.5 * torch.randn(rows, columns, generator=g)

    def norm(n: int) -> torch.Tensor:
        return 1.0 + 0.3 * torch.randn(n, generator=g)

    w = {"transformer.token_embeddings.weight": matrix(CONFIG["vocab_size"], width), "transformer.norm.weight": norm(width)}
    for i, (q, kv, ffn) in enumerate(zip(CONFIG["num_query_heads"], CONFIG["num_kv_heads"], ffn_widths())):
        layer = f"transformer.layers.{i}."
        w[layer + "attn.qkv_proj.weight"] = matrix((q + 2 * kv) * d, width, 1.5)
        w[layer + "attn.q_norm.weight"], w[layer + "attn.k_norm.weight"] = norm(d), norm(d)
        w[layer + "attn.out_proj.weight"] = matrix(width, q * d)
        w[layer + "attn_norm.weight"], w[layer + "ffn_norm.weight"] = norm(width), norm(width)
        w[layer + "ffn.proj_1.weight"] = matrix(2 * ffn, width)
        w[layer + "ffn.proj_2.weight"] = matrix(width, ffn)
    return {name: t.bfloat16() for name, t in w.items()}


def rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * weight


def rotate(x: torch.Tensor) -> torch.Tensor:
    """RoPE on [T, heads, d], value i paired with i + d/2."""
    half = x.shape[-1] // 2
    frequency = CONFIG["rope_freq_constant"] ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = (torch.arange(len(x), dtype=torch.float32)[:, None] * frequency)[:, None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


def logits(w: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """[T] ids to [T, vocab] logits."""
    d, count = CONFIG["head_dim"], len(ids)
    h = w["transformer.token_embeddings.weight"][ids]
    mask = torch.full((count, count), float("-inf")).triu(1)
    for i, (q_heads, kv_heads) in enumerate(zip(CONFIG["num_query_heads"], CONFIG["num_kv_heads"])):
        p = {name.split(f"layers.{i}.")[1]: t for name, t in w.items() if f"layers.{i}." in name}
        qkv = linear(rms_norm(h, p["attn_norm.weight"]), p["attn.qkv_proj.weight"]).view(count, -1, d)
        q, k, v = qkv.split([q_heads, kv_heads, kv_heads], dim=1)
        q, k = rotate(rms_norm(q, p["attn.q_norm.weight"])), rotate(rms_norm(k, p["attn.k_norm.weight"]))
        k, v = (t.repeat_interleave(q_heads // kv_heads, dim=1) for t in (k, v))
        scores = torch.einsum("thd,shd->hts", q, k) * d**-0.5 + mask
        mixed = torch.einsum("hts,shd->thd", scores.softmax(-1), v)
        h = h + linear(mixed.reshape(count, -1), p["attn.out_proj.weight"])
        gate, up = linear(rms_norm(h, p["ffn_norm.weight"]), p["ffn.proj_1.weight"]).chunk(2, dim=-1)
        h = h + linear(silu(gate) * up, p["ffn.proj_2.weight"])
    return linear(rms_norm(h, w["transformer.norm.weight"]), w["transformer.token_embeddings.weight"])


def write_gguf(weights: dict[str, torch.Tensor], folder: Path) -> None:
    fields = {
        "block_count": CONFIG["num_transformer_layers"],
        "context_length": CONFIG["max_context_length"],
        "embedding_length": CONFIG["model_dim"],
        "feed_forward_length": ffn_widths(),
        "attention.head_count": CONFIG["num_query_heads"],
        "attention.head_count_kv": CONFIG["num_kv_heads"],
        "rope.freq_base": float(CONFIG["rope_freq_constant"]),
        "attention.layer_norm_rms_epsilon": EPSILON,
        "rope.dimension_count": CONFIG["head_dim"],
        "attention.key_length": CONFIG["head_dim"],
        "attention.value_length": CONFIG["head_dim"],
    }
    tensors = {}
    for name, tensor in weights.items():
        if ".ffn.proj_1." in name:
            block = f"blk.{name.split('.')[2]}."
            tensors[block + "ffn_gate.weight"], tensors[block + "ffn_up.weight"] = tensor.chunk(2)
        else:
            tensors[ge.rename(name, TOP, NAMES, "transformer.layers.")] = tensor
    ge.write(folder / "model.gguf", "openelm", fields, tensors, CONFIG["vocab_size"], ge.Type.BF16)


def make_openelm(out: Path) -> None:
    folder = out / "openelm"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(200):
        weights = random_weights(seed)
        exact = {name: t.float() for name, t in weights.items()}

        def model(ids: torch.Tensor, use_cache: bool):
            return types.SimpleNamespace(logits=logits(exact, ids[0])[None])

        expected = causal_expectations(model, prompt(32, CONFIG["vocab_size"], seed), 20)
        if expected["greedy_margin"].min() >= 0.02 and len(expected["greedy_ids"].unique()) >= 10:
            break
    else:
        raise RuntimeError("openelm: no seed gives a varied continuation with clear margins")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2, sort_keys=True) + "\n")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    made_with = f"equations of make_openelm.py, torch {torch.__version__.split('+')[0]}, seed {seed}"
    save_file(expected, folder / "expected.safetensors", {"made_with": made_with})
    write_gguf(weights, folder)
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    make_openelm(run(__doc__, []).out)
