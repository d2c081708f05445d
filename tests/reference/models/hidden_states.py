# SPDX-License-Identifier: Apache-2.0
"""Writes what every module of a checkpoint outputs, to find the layer where an implementation begins to differ.

  python3 tests/reference/models/hidden_states.py tests/data/models/NAME OUT.safetensors

The input is the prompt of NAME/expected.safetensors. Each tensor of OUT is named after the module that made it, for
example model.layers.0.self_attn.q_proj; only floating-point outputs are kept, [T, ...] without the batch dimension.
"""

import argparse
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from common import reload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    config = json.loads((arguments.checkpoint / "config.json").read_text())
    model = reload(arguments.checkpoint, getattr(transformers, config["architectures"][0]))
    outputs = {}

    def keep(name: str):
        def hook(_module, _inputs, output) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                outputs[name] = value.squeeze(0).contiguous().clone()

        return hook

    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(keep(name))
    ids = load_file(arguments.checkpoint / "expected.safetensors")["input_ids"]
    with torch.no_grad():
        outputs["logits"] = model(ids if ids.dim() == 2 else ids[None]).logits.squeeze(0).contiguous()
    save_file(outputs, arguments.out)
    for name, value in outputs.items():
        print(f"{name:60s} {list(value.shape)!s:20s} mean |x| {value.abs().mean():.4f}")


if __name__ == "__main__":
    main()
