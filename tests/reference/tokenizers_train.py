# SPDX-License-Identifier: Apache-2.0
"""Trains the small tokenizers of tests/data/text and writes texts with their ids beside them.

    python3 tokenizers_train.py tests/data/text

One for each way of cutting words and of treating spaces that a published family has, with a few hundred tokens learnt
from the random texts of tokenizers.py.
"""

import importlib.util
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("texts", os.path.join(HERE, "tokenizers.py"))
texts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(texts)
tokenizers = texts.tokenizers
from_name = {n: importlib.import_module("tokenizers." + n) for n in ("decoders", "models", "normalizers", "pre_tokenizers",
                                                                     "processors", "trainers")}  # fmt: skip
decoders, models, normalizers = from_name["decoders"], from_name["models"], from_name["normalizers"]
pre_tokenizers, processors, trainers = from_name["pre_tokenizers"], from_name["processors"], from_name["trainers"]

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
END = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ANY = r"[^\r\n\p{L}\p{N}]?"


def by_case(suffix, numbers):
    words = f"{ANY}{UPPER}*{LOWER}+{suffix}|{ANY}{UPPER}+{LOWER}*{suffix}"
    return words + "|" + numbers + r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + END


EXPRESSIONS = {
    "llama3": CONTRACTIONS + "|" + ANY + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + END,
    "qwen2": CONTRACTIONS + "|" + ANY + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + END,
    "qwen35": CONTRACTIONS + "|" + ANY + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + END,
    "tekken": by_case("", r"\p{N}"),
    "gpt4o": by_case(CONTRACTIONS + "?", r"\p{N}{1,3}"),
}
EXPRESSIONS["qwen3"] = EXPRESSIONS["qwen2"]
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]


def split(expression):
    return pre_tokenizers.Split(tokenizers.Regex(expression), "isolated")


def byte_level(name):
    t = tokenizers.Tokenizer(models.BPE(ignore_merges=name in ("llama3", "tekken")))
    if name == "gpt2":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    elif name == "smollm":
        t.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    else:
        t.pre_tokenizer = pre_tokenizers.Sequence(
            [split(EXPRESSIONS[name]), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    if name in ("qwen3", "qwen35"):
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    return t, trainer


def characters(name):
    t = tokenizers.Tokenizer(models.BPE(byte_fallback=name != "unknown", fuse_unk=True, unk_token="<unk>"))
    marks = normalizers.Replace(" ", "\u2581")
    if name == "llama2":
        t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), marks])
    elif name in ("gemma", "gemma4"):
        t.normalizer = marks
        if name == "gemma4":
            t.pre_tokenizer = split(r"[^\n]+|[\n]+")
    elif name == "metaspace":
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    start = [decoders.Strip(" ", 1, 0)] if not name.startswith("gemma") else []
    t.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()] + start
    )
    specials = ["<unk>"] + SPECIALS
    if name != "unknown":
        specials = specials + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=len(specials) + 600, special_tokens=specials, limit_alphabet=200, show_progress=False
    )
    return t, trainer


def words():
    t = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return t, trainers.WordPieceTrainer(vocab_size=900, special_tokens=specials, limit_alphabet=300, show_progress=False)


def unigram(name):
    fallback = name == "unigram_bytes"
    t = tokenizers.Tokenizer(models.Unigram())
    if name == "unigram_t5":
        t.normalizer = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
        t.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
        )
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=not fallback)
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    if fallback:
        t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])  # fmt: skip
    specials = ["<unk>"] + SPECIALS + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    return t, trainers.UnigramTrainer(vocab_size=len(specials) + 700, special_tokens=specials, unk_token="<unk>",
                                      show_progress=False)  # fmt: skip


def sentencepiece(out, name):
    """A model of the SentencePiece library itself, and the ids that it gives."""
    import base64
    import io

    spm = importlib.import_module("sentencepiece")
    r = random.Random(6)
    corpus = [" ".join(r.choice(texts.WORDS) for _ in range(12)) for _ in range(3000)]
    rules = os.path.join(out, "rules.tsv")
    with open(rules, "w", encoding="utf-8") as file:
        for a, b in (("\uff21", "A"), ("\u00bd", "1/2"), ("e\u0301", "\u00e9"), ("\u200b", ""), ("\t", " "), ("\n", " "),
                     ("\u3000", " "), ("e\u0301\u0301", "E"), ("\u4e2d", "\u6587\u6587")):  # fmt: skip
            file.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
    model = io.BytesIO()
    kind = name.removeprefix("spm_")
    extra = {"normalization_rule_tsv": rules} if kind == "unigram" else {"normalization_rule_name": "identity"}
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([c for c in corpus if c]), model_writer=model, model_type=kind, vocab_size=1200 if kind == "bpe" else 590,
        byte_fallback=True, character_coverage=0.98, remove_extra_whitespaces=kind == "unigram", minloglevel=2,
        split_by_whitespace=True, user_defined_symbols=["<think>"], num_threads=1, **extra)  # fmt: skip
    os.remove(rules)
    sp = spm.SentencePieceProcessor(model_proto=model.getvalue())
    types = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else
             4 if sp.id_to_piece(i) == "<think>" else 1 for i in range(len(sp))]  # fmt: skip
    proto = importlib.import_module("sentencepiece.sentencepiece_model_pb2").ModelProto()
    proto.ParseFromString(model.getvalue())
    cases = [texts.text_of(r, texts.WORDS, []) for _ in range(400)]
    document = {
        "model": "t5" if kind == "unigram" else "llama",
        "tokens": [sp.id_to_piece(i) for i in range(len(sp))],
        "scores": [sp.get_score(i) for i in range(len(sp))],
        "types": types,
        "charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode(),
        "cases": [[c, sp.encode(c)] for c in cases],
    }
    with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=True, separators=(",", ":"))


NAMES = ("gpt2", "smollm", "llama3", "qwen2", "qwen3", "qwen35", "tekken", "gpt4o", "llama2", "gemma", "gemma4", "metaspace",
         "unknown", "bert", "unigram", "unigram_bytes", "unigram_t5")  # fmt: skip


def main():
    out = sys.argv[1]
    for name in NAMES:
        bytes_too = name in ("gpt2", "smollm", *EXPRESSIONS)
        t, trainer = byte_level(name) if bytes_too else words() if name == "bert" else (
            unigram if name.startswith("unigram") else characters)(name)
        r = random.Random(5)
        corpus = [texts.text_of(r, texts.WORDS, []) for _ in range(4000)]
        if t.normalizer is None and not bytes_too:
            corpus = [c[:120] for c in corpus]  # without words every merge looks at whole texts
        if name.startswith("unigram"):  # which must have all characters of its corpus
            corpus = ["".join(r.choice(texts.WORDS) + r.choice(("", " ", " ")) for _ in range(12)) for _ in corpus]
        t.train_from_iterator(corpus, trainer)
        if name in ("llama3", "llama2", "gemma", "gemma4"):
            t.post_processor = processors.TemplateProcessing(
                single="<s> $A", special_tokens=[("<s>", t.token_to_id("<s>"))]
            )
        if name == "bert":
            ends = [(mark, t.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
            t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        document = json.loads(t.to_str())
        if name == "unigram_bytes":
            document["model"]["byte_fallback"] = True
        document["added_tokens"] = [a for a in document["added_tokens"] if not a["content"].startswith("<0x")]
        if bytes_too:
            t.add_tokens(["<think>"])
            document["added_tokens"].append(
                {"id": len(document["model"]["vocab"]), "content": "<think>", "single_word": False, "lstrip": False,
                 "rstrip": name == "qwen2", "normalized": name == "gpt2", "special": False}
            )  # fmt: skip
        path = os.path.join(out, name + ".tokenizer.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=True, separators=(",", ":"))
        cases = subprocess.run(
            [sys.executable, os.path.join(HERE, "tokenizers.py"), path, "--count", "300"], check=True, capture_output=True
        ).stdout
        with open(os.path.join(out, name + ".cases.jsonl"), "wb") as file:
            file.write(cases)
    for name in ("spm_bpe", "spm_unigram"):
        sentencepiece(out, name)


main()
