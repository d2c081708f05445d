# SPDX-License-Identifier: Apache-2.0
"""Shared by the make_*.py scripts: build a tiny random model, save it, and record what transformers computes with it.

A checkpoint becomes a folder NAME/ with
  config.json, model.safetensors   as a published checkpoint of the family has them (tensor names, dtype, config style)
  expected.safetensors             input_ids [T], logits [T, vocab] of every position, greedy_ids [N] that continue the
                                   prompt, greedy_margin [N] (best minus second best logit of each step)
All expectations are computed in float32 with eager attention from the *saved* (rounded) weights, and every greedy step
runs the whole sequence again, so no cache takes part.
"""

import argparse
import dataclasses
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

# Keys of config.json that say nothing about the model.
NOISE = {
    "_name_or_path", "chunk_size_feed_forward", "id2label", "is_encoder_decoder", "label2id", "output_attentions",
    "output_hidden_states", "problem_type", "return_dict", "transformers_version", "output_router_logits",
    "router_aux_loss_coef", "pretraining_tp", "initializer_range", "attention_dropout", "use_cache",
}  # fmt: skip
DTYPE_NAMES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


@dataclasses.dataclass
class Checkpoint:
    """What a tiny checkpoint is made from."""

    name: str
    config: transformers.PretrainedConfig
    model_class: type
    dtype: torch.dtype = torch.float32  # of the saved weights
    prompt_length: int = 32
    extra_prompts: dict[str, int] = dataclasses.field(default_factory=dict)  # NAME: length, for expected.NAME.safetensors
    greedy_length: int = 20
    config_style: str = "v4"  # "v4": rope_theta and rope_scaling; "v5": rope_parameters
    config_edit: Callable[[dict], None] | None = None  # last changes to config.json
    randomise: Callable[[str, torch.Tensor, torch.Generator], torch.Tensor | None] | None = None  # None: the default
    extra_tensors: Callable[[dict[str, torch.Tensor], "Checkpoint"], dict[str, torch.Tensor]] | None = None  # also in the file
    shard_size: str | None = None
    write_tokenizer: Callable[[Path, int], None] | None = None  # tokenizer.json for a vocabulary of this size
    gguf: Callable[["Checkpoint", dict[str, torch.Tensor], Path], None] | None = None
    min_margin: float = 0.02
    min_distinct: int = 10  # different tokens in the greedy continuation
    embedding_std: float | None = None  # None: 2 / sqrt(hidden)
    expectations: Callable[[Any, "Checkpoint", int], dict[str, dict[str, torch.Tensor]]] | None = None  # None: causal_files


def default_values(name: str, initial: torch.Tensor, g: torch.Generator, embedding_std: float) -> torch.Tensor:
    """Values that hide nothing: norm weights away from 1 (or 0), biases away from 0, attention scores well spread."""
    noise = torch.randn(initial.shape, generator=g)
    if initial.dim() <= 1 or initial.numel() == max(initial.shape):
        centre = float(initial.float().mean())
        return (1.0 if centre > 0.5 else 0.0) + 0.3 * noise
    if "embed" in name or "lm_head" in name:
        return embedding_std * noise
    gain = 1.5 if any(s in name for s in ("q_proj", "k_proj", "query", "key")) else 1.0
    return gain / math.sqrt(initial.shape[-1]) * noise


def randomise(model: torch.nn.Module, checkpoint: Checkpoint, seed: int) -> None:
    """Overwrite every parameter and every stored buffer."""
    g = torch.Generator().manual_seed(seed)
    hidden = model.config.get_text_config().hidden_size
    stored = model.state_dict(keep_vars=True)
    done = set()
    with torch.no_grad():
        for name, tensor in sorted(stored.items()):
            if tensor.data_ptr() in done or not tensor.is_floating_point():
                continue
            done.add(tensor.data_ptr())
            values = checkpoint.randomise(name, tensor, g) if checkpoint.randomise else None
            if values is None:
                values = default_values(name, tensor, g, checkpoint.embedding_std or 2.0 / math.sqrt(hidden))
            tensor.copy_(values.to(checkpoint.dtype))


def old_rope_keys(config: dict) -> None:
    """rope_parameters in the spelling of before transformers 5."""
    rope = config.get("rope_parameters") or {}
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    if "rope_theta" in rope:
        del config["rope_parameters"]
        config["rope_theta"] = rope["rope_theta"]
        scaling = {k: v for k, v in rope.items() if k != "rope_theta"}
        config["rope_scaling"] = scaling if scaling.get("rope_type", "default") != "default" else None


def config_json(model, checkpoint: Checkpoint) -> dict:
    """config.json in the style the family is published with."""
    old = checkpoint.config_style == "v4"

    def clean(config: dict) -> dict:
        kept = {k: clean(v) if k.endswith("_config") and v and k != "per_layer_config" else v for k, v in config.items()
                if k not in NOISE and not k.startswith("_") and k != "dtype"}  # fmt: skip
        if old:
            old_rope_keys(kept)
        return kept

    config = clean(model.config.to_dict())
    config["architectures"] = [type(model).__name__]
    config["torch_dtype" if old else "dtype"] = DTYPE_NAMES[checkpoint.dtype]
    if checkpoint.config_edit:
        checkpoint.config_edit(config)
    return config


def save_weights(model, checkpoint: Checkpoint, folder: Path) -> None:
    """Weights under the names transformers publishes them, one file or several."""
    with tempfile.TemporaryDirectory() as scratch:
        model.to(checkpoint.dtype).save_pretrained(scratch, max_shard_size=checkpoint.shard_size or "1GB")
        files = [f for f in Path(scratch).iterdir() if ".safetensors" in f.name]
        if checkpoint.extra_tensors is None:
            for f in files:
                shutil.copy(f, folder / f.name)
            return
        state = tensors_of(Path(scratch))
        save_file(state | checkpoint.extra_tensors(state, checkpoint), folder / "model.safetensors", {"format": "pt"})


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint folder."""
    out = {}
    for file in sorted(folder.glob("model*.safetensors")):
        with safe_open(file, "pt") as f:
            out |= {k: f.get_tensor(k) for k in f.keys()}
    return out


def prompt(length: int, vocab: int, seed: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(1000 + seed)
    return torch.randint(3, vocab, (length,), generator=g)


@torch.no_grad()
def causal_expectations(model, input_ids: torch.Tensor, steps: int) -> dict[str, torch.Tensor]:
    """Logits of every position of the prompt and a greedy continuation, each step from a full forward."""
    ids, margins = input_ids[None], []
    first = model(ids, use_cache=False).logits[0]
    logits = first
    for _ in range(steps):
        best = torch.topk(logits[-1], 2)
        margins.append(best.values[0] - best.values[1])
        ids = torch.cat([ids, best.indices[:1][None]], dim=1)
        logits = model(ids, use_cache=False).logits[0]
    return {
        "input_ids": input_ids,
        "logits": first.float().contiguous(),
        "greedy_ids": ids[0, len(input_ids) :].contiguous(),
        "greedy_margin": torch.stack(margins).float(),
    }


def reload(folder: Path, model_class: type):
    """The saved checkpoint, as float32: what a user of transformers gets from the folder."""
    model, info = model_class.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {k: v for k, v in info.items() if v}
    if problems:
        raise RuntimeError(f"{folder}: reloading reports {problems}")
    return model.eval()


def check_same(built: dict, read: dict, path: str = "config") -> None:
    """What transformers reads back from config.json is the configuration the model was built with."""
    for key in built.keys() & read.keys() - {"_name_or_path", "architectures", "dtype", "transformers_version"}:
        if isinstance(built[key], dict) and isinstance(read[key], dict):
            check_same(built[key], read[key], f"{path}.{key}")
        elif built[key] != read[key]:
            raise RuntimeError(f"{path}.{key}: built with {built[key]!r}, read back as {read[key]!r}")


def causal_files(model, checkpoint: Checkpoint, seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """Contents of expected.safetensors and its like, by file name; empty if a continuation is no good test."""
    vocab = model.config.get_text_config().vocab_size
    files = {}
    for i, (name, length) in enumerate({"": checkpoint.prompt_length, **checkpoint.extra_prompts}.items()):
        expected = causal_expectations(model, prompt(length, vocab, 2000 * i + seed), checkpoint.greedy_length)
        if expected["greedy_margin"].min() < checkpoint.min_margin:
            return {}
        if len(expected["greedy_ids"].unique()) < checkpoint.min_distinct:
            return {}
        files[f"expected.{name}.safetensors" if name else "expected.safetensors"] = expected
    return files


def make(checkpoint: Checkpoint, out: Path) -> None:
    """Writes the folder; takes the first seed whose greedy continuations are neither monotonous nor near ties."""
    folder = out / checkpoint.name
    for seed in range(200):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        torch.manual_seed(seed)
        model = checkpoint.model_class(checkpoint.config).eval()
        randomise(model, checkpoint, seed)
        save_weights(model, checkpoint, folder)
        (folder / "config.json").write_text(json.dumps(config_json(model, checkpoint), indent=2, sort_keys=True) + "\n")
        built = model.config.to_dict()
        model = reload(folder, checkpoint.model_class)
        check_same(built, model.config.to_dict())
        files = (checkpoint.expectations or causal_files)(model, checkpoint, seed)
        if files:
            break
    else:
        raise RuntimeError(f"{checkpoint.name}: no seed gives a varied continuation with clear margins")
    versions = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    for name, expected in files.items():
        save_file(expected, folder / name, {"made_with": f"{versions}, seed {seed}"})
    if checkpoint.write_tokenizer:
        checkpoint.write_tokenizer(folder, model.config.get_text_config().vocab_size)
    if checkpoint.gguf:
        checkpoint.gguf(checkpoint, tensors_of(folder), folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(f.stat().st_size for f in folder.iterdir())
    line = f"{checkpoint.name:28s} seed {seed:3d}  {size / 1024:6.0f} KiB"
    for expected in files.values():
        if "greedy_margin" in expected:
            line += f"  logits std {expected['logits'].std():.2f}, smallest margin {expected['greedy_margin'].min():.3f}"
    print(line, flush=True)


def run(description: str, checkpoints: list[Checkpoint], options: Callable[[argparse.ArgumentParser], None] | None = None):
    """Command line of a make_*.py script: OUT_DIR and, optionally, the names to make."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder that receives one folder for each checkpoint")
    parser.add_argument("names", nargs="*", help="checkpoints to make (default: all)")
    if options:
        options(parser)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {c.name for c in checkpoints}
    if unknown:
        parser.error(f"unknown: {sorted(unknown)}; known: {[c.name for c in checkpoints]}")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for checkpoint in checkpoints:
        if not arguments.names or checkpoint.name in arguments.names:
            make(checkpoint, arguments.out)
    return arguments
