#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains tiny_poet on the sonnets beside this script and writes what the C++ program reads:

  model.safetensors      the weights, named as in the C++ type (tiny_poet.hpp)
  tokenizer.json         one token a byte
  expected.safetensors   a prompt and the logits that PyTorch computes for every position of it

Needs torch and safetensors; takes a minute or two on two CPU cores.
"""

import argparse
import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

VOCAB, WIDTH, INNER, HEADS, EPSILON, THETA = 256, 48, 96, 3, 1e-5, 10_000.0
HERE = Path(__file__).resolve().parent


class MinGru(nn.Module):
    """h[t] = h[t-1] + z (candidate x - h[t-1]), z = sigmoid(gate x)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, EPSILON)
        self.gate = nn.Linear(WIDTH, WIDTH, bias=False)
        self.candidate = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        z = torch.sigmoid(self.gate(x))
        keep, h = 1 - z, z * self.candidate(x)
        step = 1
        while step < x.shape[1]:  # h[t] = keep[t] h[t-1] + ..., all positions at once: a prefix sum in log2(T) steps
            h = h + keep * F.pad(h, (0, 0, step, 0))[:, :-step]
            keep = keep * F.pad(keep, (0, 0, step, 0), value=1.0)[:, :-step]
            step *= 2
        return h


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, EPSILON)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        batch, length, _ = x.shape
        heads = lambda y: y.view(batch, length, HEADS, -1).transpose(1, 2)
        q, k, v = rotate(heads(self.q(x))), rotate(heads(self.k(x))), heads(self.v(x))
        return self.o(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))


def rotate(x: Tensor) -> Tensor:
    """Rotary positions on pairs (i, i + dim / 2)."""
    length, dim = x.shape[-2:]
    frequencies = THETA ** (-torch.arange(0, dim, 2) / dim)
    angles = torch.arange(length)[:, None] * frequencies
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


class GatedMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, EPSILON)
        self.gate = nn.Linear(WIDTH, INNER, bias=False)
        self.up = nn.Linear(WIDTH, INNER, bias=False)
        self.down = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """Module names are the C++ layers' names, so that state_dict() has the names the C++ type asks for."""

    def __init__(self, name: str, mixer: nn.Module) -> None:
        super().__init__()
        self.add_module(name, mixer)
        self.mixer = [mixer]  # in a list: not a second module
        self.mlp = GatedMlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer[0](x)
        return x + self.mlp(x)


class TinyPoet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.blocks = nn.ModuleList([Block("gru", MinGru()), Block("attention", Attention()), Block("gru", MinGru())])
        self.norm = nn.RMSNorm(WIDTH, EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.embedding.weight.T  # the head is the embedding again


def train(model: TinyPoet, text: Tensor, steps: int, batch: int = 16, length: int = 128) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    for step in range(steps):
        rate = 6e-3 * min(1.0, step / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        starts = torch.randint(len(text) - length, (batch,))
        window = text[starts[:, None] + torch.arange(length + 1)]
        loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step:5d}   loss {loss.item():.3f}", flush=True)


def byte_tokenizer() -> dict:
    """A byte-level BPE without merges, in the format of the tokenizers library."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]  # byte-level BPE writes these as characters from 256 on
    characters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": split,
        "model": {"type": "BPE", "vocab": {characters[b]: b for b in range(256)}, "merges": []},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=1000)
    arguments.add_argument("--out", type=Path, default=HERE)
    arguments.add_argument("--prompt", default="Shall I compare thee to a summer's night?\n")
    options = arguments.parse_args()
    torch.manual_seed(1609)

    text = torch.tensor(list((HERE / "sonnets.txt").read_bytes()))
    model = TinyPoet()
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    train(model, text, options.steps)

    model.eval()
    prompt = torch.tensor(list(options.prompt.encode()))
    with torch.no_grad():
        logits = model(prompt[None])[0]
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), options.out / "model.safetensors")
    save_file({"input_ids": prompt.int(), "logits": logits}, options.out / "expected.safetensors")
    (options.out / "tokenizer.json").write_text(json.dumps(byte_tokenizer(), ensure_ascii=False, indent=0) + "\n")


if __name__ == "__main__":
    main()
