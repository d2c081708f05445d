# SPDX-License-Identifier: Apache-2.0
"""A made-up byte-level BPE vocabulary for the tiny checkpoints.

Ids: 0 <unk>, 1 <s>, 2 </s>, 3..258 the 256 bytes in byte order, then merged pieces, then reserved control tokens up to
the wanted size. The pre-tokenizer is GPT-2's. Any text can be encoded, so the same vocabulary serves every family.
"""

import json
from pathlib import Path

SPECIAL = ["<unk>", "<s>", "</s>"]
MERGES = ["h e", "i n", "Ġ t", "Ġt he", "a n", "e r", "an d", "in g", "o n", "r e", "l l", "o u", "Ġ a"]
NORMAL, UNKNOWN, CONTROL = 1, 2, 3


def byte_alphabet() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    table = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [table[b] for b in range(256)]


def vocabulary(size: int) -> tuple[list[str], list[int], list[str]]:
    """Tokens, their GGUF token types, and the merges that fit into `size`."""
    room = size - len(SPECIAL) - 256
    if room < 0:
        raise ValueError(f"vocabulary of {size}: at least {len(SPECIAL) + 256} tokens are needed")
    merges = MERGES[:room]
    tokens = SPECIAL + byte_alphabet() + [m.replace(" ", "") for m in merges]
    types = [UNKNOWN, CONTROL, CONTROL] + [NORMAL] * (len(tokens) - len(SPECIAL))
    reserved = [f"<|reserved_{i}|>" for i in range(size - len(tokens))]
    return tokens + reserved, types + [CONTROL] * len(reserved), merges


def write_tokenizer_json(folder: Path, size: int) -> None:
    """tokenizer.json and tokenizer_config.json of the vocabulary, in the layout of the `tokenizers` package."""
    tokens, types, merges = vocabulary(size)
    added = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, t in enumerate(tokens)
        if types[i] != NORMAL
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(tokens)},
            "merges": [m.split(" ") for m in merges],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def add_to_gguf(writer, size: int) -> None:
    """The tokenizer.ggml.* metadata."""
    tokens, types, merges = vocabulary(size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)


WORDPIECE_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDPIECE_WORDS = ["the", "sky", "is", "blue", "a", "man", "eating", "food", "meal", "market", "stock", "##ing", "##ed", "##s", "##er"]


def wordpiece_vocabulary(size: int) -> list[str]:
    """An uncased WordPiece vocabulary: special tokens, letters and digits as words and as continuations, some words."""
    letters = [chr(c) for c in (*range(ord("a"), ord("z") + 1), *range(ord("0"), ord("9") + 1))]
    tokens = [*WORDPIECE_SPECIAL, *".,!?'-", *letters, *("##" + c for c in letters)]
    tokens += [w for w in WORDPIECE_WORDS if w not in tokens]
    if size < len(tokens):
        raise ValueError(f"vocabulary of {size}: at least {len(tokens)} tokens are needed")
    return tokens + [f"[unused{i}]" for i in range(size - len(tokens))]


def write_wordpiece_json(folder: Path, size: int) -> None:
    tokens = wordpiece_vocabulary(size)
    added = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, t in enumerate(WORDPIECE_SPECIAL)
    ]
    cls, sep = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
    second = {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
    a, b = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    special = {t: {"id": t, "ids": [tokens.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": [cls, a, sep], "pair": [cls, a, sep, b, second], "special_tokens": special,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {t: i for i, t in enumerate(tokens)},
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def add_wordpiece_to_gguf(writer, size: int) -> None:
    """WordPiece as llama.cpp keeps it: words begin with U+2581, continuations have lost their ##."""
    tokens = wordpiece_vocabulary(size)

    def stored(token: str) -> str:
        if token in WORDPIECE_SPECIAL:
            return token
        return token[2:] if token.startswith("##") else "\u2581" + token

    writer.add_token_type_count(2)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([stored(t) for t in tokens])
    writer.add_token_types([CONTROL if t in WORDPIECE_SPECIAL else NORMAL for t in tokens])
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)  # the classification token
    writer.add_sep_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_mask_token_id(4)
