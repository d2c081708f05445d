# SPDX-License-Identifier: Apache-2.0
"""Tiny BERT and MobileBERT checkpoints (sentence embedding, classification), and a GGUF file made from one.

  python3 tests/reference/models/make_bert.py OUT_DIR [NAME ...]

expected.safetensors holds a batch of sequences of different lengths:
  input_ids, attention_mask, token_type_ids [B, T]; padding has id 0, mask 0
  last_hidden_state [B, T, width], 0 at padding
  embedding [B, width]: mean of the last hidden state over the sequence, scaled to length 1
  pooler_output [B, width] and logits [B, labels] where the model has them
Every sequence was also run by itself, without padding. BERT gives the same. MobileBERT does not, for its trigrams let
the last token see the first padding token; its expectations are those of the unpadded runs.
"""

from pathlib import Path

import torch
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, MobileBertConfig, MobileBertForSequenceClassification,
)  # fmt: skip

import gguf_export as ge
import tiny_tokenizer
from common import Checkpoint, run

TOP = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}
NAMES = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
LENGTHS = [19, 12, 5]
VOCAB = 136


def write_gguf(checkpoint: Checkpoint, state: dict[str, torch.Tensor], folder: Path) -> None:
    c = checkpoint.config
    fields = {
        "block_count": c.num_hidden_layers,
        "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.layer_norm_epsilon": float(c.layer_norm_eps),
        "attention.causal": False,
        "pooling_type": 1,
    }
    tensors = {
        ge.rename(name, TOP, NAMES, "encoder.layer."): tensor
        for name, tensor in state.items()
        if not name.startswith("pooler.")
    }
    keep = lambda name: name in ("position_embd.weight", "token_types.weight")  # noqa: E731
    ge.write(folder / "model.gguf", "bert", fields, tensors, c.vocab_size, ge.type_of(checkpoint.dtype), keep,
             tiny_tokenizer.add_wordpiece_to_gguf)  # fmt: skip


def batch(seed: int) -> dict[str, torch.Tensor]:
    """[CLS] words [SEP] words [SEP], the first sequence in two segments."""
    g = torch.Generator().manual_seed(1000 + seed)
    shape = (len(LENGTHS), max(LENGTHS))
    ids, mask, types = (torch.zeros(shape, dtype=torch.int64) for _ in range(3))
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(len(tiny_tokenizer.WORDPIECE_SPECIAL), VOCAB, (length,), generator=g)
        ids[row, 0], ids[row, length - 1] = 2, 3
        mask[row, :length] = 1
    types[0, 10 : LENGTHS[0]] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@torch.no_grad()
def encode(model, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """All results of the model that tests compare."""
    out = model(**inputs, output_hidden_states=True)
    mask = inputs["attention_mask"][..., None]
    hidden = out.hidden_states[-1] * mask
    mean = hidden.sum(1) / mask.sum(1)
    results = {"last_hidden_state": hidden, "embedding": torch.nn.functional.normalize(mean, dim=-1)}
    for key in ("pooler_output", "logits"):
        if out.get(key) is not None:
            results[key] = out[key]
    return results


def expectations(model, checkpoint: Checkpoint, seed: int) -> dict[str, dict[str, torch.Tensor]]:
    inputs = batch(seed)
    together = encode(model, inputs)
    alone = {k: torch.zeros_like(v) for k, v in together.items()}
    for row, length in enumerate(LENGTHS):
        single = encode(model, {k: v[row : row + 1, :length] for k, v in inputs.items()})
        for key, value in single.items():
            if key == "last_hidden_state":
                alone[key][row, :length] = value[0]
            else:
                alone[key][row] = value[0]
    difference = max(float((together[k] - alone[k]).abs().max()) for k in alone)
    if difference > 2e-5 and isinstance(checkpoint.config, BertConfig):
        raise RuntimeError(f"{checkpoint.name}: padding changes results by {difference}")
    return {"expected.safetensors": inputs | {k: v.contiguous() for k, v in alone.items()}}


def labels(config: dict) -> None:
    config["id2label"] = {"0": "negative", "1": "neutral", "2": "positive"}
    config["label2id"] = {name: int(i) for i, name in config["id2label"].items()}


LABELS = dict(id2label={0: "negative", 1: "neutral", 2: "positive"}, label2id={"negative": 0, "neutral": 1, "positive": 2})
COMMON = dict(vocab_size=VOCAB, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=40, type_vocab_size=2)

CHECKPOINTS = [
    # MiniLM: no prefix, a pooler that embeddings do not use.
    Checkpoint("bert_embedding", BertConfig(**COMMON, hidden_size=48, intermediate_size=96), BertModel, torch.float16,
               expectations=expectations, gguf=write_gguf, write_tokenizer=tiny_tokenizer.write_wordpiece_json),
    Checkpoint("bert_classifier", BertConfig(**COMMON, **LABELS, hidden_size=40, intermediate_size=64, hidden_act="gelu_new"),
               BertForSequenceClassification, torch.float32, expectations=expectations, config_edit=labels),
    Checkpoint("mobilebert_classifier",
               MobileBertConfig(**COMMON, **LABELS, hidden_size=64, embedding_size=24, intra_bottleneck_size=32,
                                intermediate_size=48, classifier_activation=False),
               MobileBertForSequenceClassification, torch.float32, expectations=expectations, config_edit=labels,
               write_tokenizer=tiny_tokenizer.write_wordpiece_json),
]  # fmt: skip

if __name__ == "__main__":
    run(__doc__, CHECKPOINTS)
