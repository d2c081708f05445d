# SPDX-License-Identifier: Apache-2.0
"""Adapters for tiny checkpoints, in the form PEFT saves them, and one as GGUF; with logits of the adapted models.

  python3 tests/reference/models/make_lora.py MODELS_DIR OUT_DIR

Folders OUT_DIR/NAME have adapter_config.json and adapter_model.safetensors; expected.safetensors holds input_ids [T] and
logits [T, vocab], computed by transformers in float32 with scale * B A added to the weights. `both` has no adapter of
its own: it is llama_a with scale 0.5 and llama_b with scale -1.5 at once.
"""

import json
import math
import sys
from pathlib import Path

import gguf
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from gguf_export import interleave_halves

ADAPTERS = {  # name: (checkpoint, rank, alpha, rslora, alpha_pattern, modules of a layer)
    "llama_a": ("llama_tied", 4, 8.0, False, {}, ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    "llama_b": ("llama_tied", 3, 2.0, True, {"mlp.down_proj": 5.0},
                ["self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]),
    "phi3": ("phi3_plain", 2, 4.0, False, {}, ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj"]),
    "gemma3": ("gemma3_local_global", 5, 5.0, False, {}, ["self_attn.q_proj", "mlp.down_proj"]),
}  # fmt: skip


def scale_of(module: str, rank: int, alpha: float, root: bool, pattern: dict[str, float]) -> float:
    for key, value in pattern.items():
        if module.endswith("." + key):
            alpha = value
    return alpha / (math.sqrt(rank) if root else rank)


def load(models: Path, checkpoint: str):
    folder = models / checkpoint
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def adapt(model, updates: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for module, update in updates.items():
            model.get_submodule(module).weight += update


def expectations(model, folder: Path) -> None:
    ids = torch.randint(3, model.config.vocab_size, (24,), generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        logits = model(ids[None]).logits[0].float()
    tensors = {"input_ids": ids, "logits": logits.contiguous(), "greedy_ids": logits[-1:].argmax(-1)}
    save_file(tensors, folder / "expected.safetensors")


def write_gguf(model, tensors: dict[str, torch.Tensor], alpha: float, path: Path) -> None:
    names = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v"}
    config = model.config
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in tensors.items():
        _, _, _, _, layer, _, projection, half, _ = name.split(".")
        if half == "lora_B" and projection in ("q_proj", "k_proj"):
            heads = config.num_attention_heads if projection == "q_proj" else config.num_key_value_heads
            tensor = interleave_halves(tensor, heads)
        writer.add_tensor(f"blk.{layer}.{names[projection]}.weight.{half.lower()}", tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    models, out = Path(sys.argv[1]), Path(sys.argv[2])
    made = {}
    for seed, (name, (checkpoint, rank, alpha, root, pattern, modules)) in enumerate(ADAPTERS.items()):
        g = torch.Generator().manual_seed(seed)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = load(models, checkpoint)
        tensors, updates = {}, {}
        for layer in range(model.config.num_hidden_layers):
            for module in modules:
                path = f"model.layers.{layer}.{module}"
                rows, columns = model.get_submodule(path).weight.shape
                a = torch.randn((rank, columns), generator=g) / math.sqrt(columns)
                b = 0.5 * torch.randn((rows, rank), generator=g)
                tensors[f"base_model.model.{path}.lora_A.weight"] = a
                tensors[f"base_model.model.{path}.lora_B.weight"] = b
                updates[path] = scale_of(path, rank, alpha, root, pattern) * (b.double() @ a.double()).float()
        made[name] = updates
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha, "use_rslora": root,
                  "alpha_pattern": pattern, "rank_pattern": {}, "bias": "none", "fan_in_fan_out": False,
                  "use_dora": False, "modules_to_save": None,
                  "target_modules": [m.split(".")[-1] for m in modules]}  # fmt: skip
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
        adapt(model, updates)
        expectations(model, folder)
        if name == "llama_a":
            write_gguf(model, tensors, alpha, folder / "adapter.gguf")
    model = load(models, "llama_tied")
    for name, factor in (("llama_a", 0.5), ("llama_b", -1.5)):
        adapt(model, {module: factor * update for module, update in made[name].items()})
    (out / "both").mkdir(exist_ok=True)
    expectations(model, out / "both")


if __name__ == "__main__":
    main()
