# SPDX-License-Identifier: Apache-2.0
"""Trains the small tokenizers of tests/data/text and writes texts with their ids beside them.

    python3 tokenizers_train.py tests/data/text

One for each way of cutting words and of treating spaces that a published family has, with a few hundred tokens learnt
from the random texts of tokenizers.py.
"""

import base64
import collections
import importlib.util
import io
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("texts", os.path.join(HERE, "tokenizers.py"))
texts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(texts)
tokenizers = texts.tokenizers
spm = importlib.import_module("sentencepiece")
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
    return t, lambda corpus: trainers.BpeTrainer(
        vocab_size=len(specials) + 600, special_tokens=specials, show_progress=False, **alphabet(t, corpus, 200)
    )


def alphabet(t, corpus, size):
    """The most frequent characters of the words. Left to themselves trainers choose among equals by a random hash."""
    counts = collections.Counter()
    for text in corpus:
        text = t.normalizer.normalize_str(text) if t.normalizer else text
        for word, _ in t.pre_tokenizer.pre_tokenize_str(text) if t.pre_tokenizer else [(text, None)]:
            counts.update(word)
    chosen = sorted(sorted(counts), key=lambda c: -counts[c])[:size]
    return {"initial_alphabet": chosen, "limit_alphabet": len(chosen)}


def words():
    t = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    def trainer(corpus):
        known = alphabet(t, corpus, 300)
        inside = ["##" + c for c in sorted(known["initial_alphabet"])]  # numbered here, else by a random hash
        return trainers.WordPieceTrainer(vocab_size=900, special_tokens=specials + inside, show_progress=False, **known)

    return t, trainer


def unigram(name):
    fallback = name == "unigram_bytes"
    t = tokenizers.Tokenizer(models.Unigram())
    if name == "unigram_t5":
        t.normalizer = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
    elif name == "unigram_albert":
        quotes = [normalizers.Replace(two, '"') for two in ("``", "''")]
        t.normalizer = normalizers.Sequence(
            quotes + [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
        )
    elif name == "unigram_xlmr":
        t.normalizer = normalizers.Precompiled(charsmap_of(sentencepiece_model(
            ["a"], vocab_size=5, hard_vocab_limit=False, model_type="char")))  # fmt: skip
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=not fallback)
    if name in ("unigram_t5", "unigram_albert", "unigram_xlmr"):
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), t.pre_tokenizer])
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    if fallback:
        t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])  # fmt: skip
    specials = ["<unk>"] + SPECIALS + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])

    def train(corpus):
        """By the SentencePiece library: the trainer of `tokenizers` depends on the order of a random hash."""
        model = sentencepiece_model(
            corpus, model_type="unigram", vocab_size=700, hard_vocab_limit=False, character_coverage=1.0,
            normalization_rule_name="identity", remove_extra_whitespaces=False, split_by_whitespace=not fallback)  # fmt: skip
        sp = spm.SentencePieceProcessor(model_proto=model)
        learnt = [(sp.id_to_piece(i), round(sp.get_score(i), 6)) for i in range(len(sp)) if sp.get_score(i) != 0.0]
        t.model = models.Unigram([(s, 0.0) for s in specials] + learnt, 0, fallback)
        t.add_special_tokens(specials)

    return t, train


def charsmap_of(model):
    proto = importlib.import_module("sentencepiece.sentencepiece_model_pb2").ModelProto()
    proto.ParseFromString(model)
    return proto.normalizer_spec.precompiled_charsmap


def sentencepiece_model(corpus, **how):
    """Trained by the SentencePiece library; unless told otherwise with a few rules of normalization."""
    rules = [("\uff21", "A"), ("\u00bd", "1/2"), ("e\u0301", "\u00e9"), ("\u200b", ""), ("\t", " "), ("\n", " "), ("\u3000", " "),
             ("e\u0301\u0301", "E"), ("\u4e2d", "\u6587\u6587")]  # fmt: skip
    model = io.BytesIO()
    how = {"minloglevel": 2, "num_threads": 1} | how
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".tsv") as file:
        for a, b in rules:
            file.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
        file.flush()
        if "normalization_rule_name" not in how:
            how["normalization_rule_tsv"] = file.name
        spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, **how)
    return model.getvalue()


def sentencepiece(out, name):
    """A model of the SentencePiece library itself, and the ids that it gives."""
    r = random.Random(6)
    corpus = [" ".join(r.choice(texts.WORDS) for _ in range(12)) for _ in range(3000)]
    kind = name.removeprefix("spm_")
    how = {} if kind == "unigram" else {"normalization_rule_name": "identity"}
    model = sentencepiece_model(
        corpus, model_type=kind, vocab_size=1200 if kind == "bpe" else 590, byte_fallback=True, character_coverage=0.98,
        remove_extra_whitespaces=kind == "unigram", user_defined_symbols=["<think>"], **how)  # fmt: skip
    sp = spm.SentencePieceProcessor(model_proto=model)
    types = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else
             4 if sp.id_to_piece(i) == "<think>" else 1 for i in range(len(sp))]  # fmt: skip
    cases = [texts.text_of(r, texts.WORDS, []) for _ in range(400)]
    document = {
        "model": "t5" if kind == "unigram" else "llama",
        "tokens": [sp.id_to_piece(i) for i in range(len(sp))],
        "scores": [sp.get_score(i) for i in range(len(sp))],
        "types": types,
        "charsmap": base64.b64encode(charsmap_of(model)).decode(),
        "cases": [[c, sp.encode(c)] for c in cases],
    }
    with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=True, separators=(",", ":"))


NAMES = ("gpt2", "smollm", "llama3", "qwen2", "qwen3", "qwen35", "tekken", "gpt4o", "llama2", "gemma", "gemma4", "metaspace",
         "unknown", "bert", "unigram", "unigram_bytes", "unigram_t5", "unigram_albert",
         "unigram_xlmr")  # fmt: skip


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
        if name.startswith("unigram"):
            trainer([t.normalizer.normalize_str(c) if t.normalizer else c for c in corpus])
        else:
            t.train_from_iterator(corpus, trainer if bytes_too else trainer(corpus))
        if name in ("llama3", "llama2", "gemma", "gemma4"):
            t.post_processor = processors.TemplateProcessing(
                single="<s> $A", special_tokens=[("<s>", t.token_to_id("<s>"))]
            )
        around = ("[CLS]", "[SEP]") if name == "bert" else ("<s>", "</s>") if name in ("unigram_albert", "unigram_xlmr") else ()
        if around:
            ends = [(mark, t.token_to_id(mark)) for mark in around]
            t.post_processor = processors.TemplateProcessing(single=f"{around[0]} $A {around[1]}", special_tokens=ends)
        document = json.loads(t.to_str())
        document["added_tokens"] = [a for a in document["added_tokens"] if not a["content"].startswith(("<0x", "##"))]
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
