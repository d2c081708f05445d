# SPDX-License-Identifier: Apache-2.0
"""Random and multilingual texts with the ids that PyPI `tokenizers` gives them.

    python3 tokenizers.py TOKENIZER.json --count 100000 > CASES.jsonl

Each line has "text", its ids with special tokens "recognised", and where they differ from that, its ids with special
tokens as "plain" text, and what these are "decoded" to, where that is another text. The first line has the ids of the
text "a" with BOS and so "around" it. The same seed gives the same texts for the same vocabulary. To compare the library with 100 000 of them:

    INLAY_TOKENIZER=TOKENIZER.json INLAY_TOKENIZER_CASES=CASES.jsonl test_text_tokenizer_json
"""

import argparse
import importlib
import json
import random
import string
import sys
import unicodedata

# Not this file, which bears the package's name.
sys.path = [p for p in sys.path if not p.rstrip("/").endswith("tests/reference")]
tokenizers = importlib.import_module("tokenizers")

RANGES = [  # scripts and symbols, as ranges of code points
    (0x20, 0x7E), (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF),
    (0xE00, 0xE7F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x1780, 0x17FF), (0x1AB0, 0x1AFF),
    (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F), (0x2190, 0x23FF),
    (0x2460, 0x24FF), (0x2500, 0x27BF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0x4E00, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF),
    (0xFE00, 0xFE6F), (0xFF00, 0xFFEF), (0x10000, 0x103FF), (0x10400, 0x1044F), (0x11000, 0x11FFF), (0x1D400, 0x1D7FF),
    (0x1F300, 0x1F64F), (0x1F900, 0x1FAFF), (0x20000, 0x2A6DF), (0x0, 0x10FFFF),
]  # fmt: skip
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Ve", "'\u017f", "\u2019s", "''s", "'x"]
SPACES = [" ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", " \n", "\n ", "\t\t ", "\u00a0", "\u3000", "\u2028", "\u0085",
          "\x0b", "\x1c", "\u200b", "     ", "\r", " \r\n \n  "]  # fmt: skip
WORDS = ("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but "
         "not what all were we when your can said there use an each which she do how their if will up other about out "
         "many then them these so some her would make like him into time has look two more write go see number no way "
         "could people my than first water been call who oil its now find long down day did get come made may part "
         "Führer naïve café Ærøskøbing Việt Български Ελληνικά русский עברית العربية हिन्दी বাংলা ไทย 한국어 日本語 中文 "
         "ქართული Հայերեն አማርኛ ខ្មែរ 漢字かな交じり文 ñandú İstanbul ıI ßẞ Ǆǅǆ ﬁﬂ K Å e\u0301 A\u030a o\u0308 \u1112\u1161\u11ab "
         "iPhone XMLHttpRequest camelCase snake_case SHOUTING McDonald's O'Neil it's I'LL we'Ve C++ http://a.b/c?d=e#f "
         "user@example.com 3.14 1,000,000 2024-01-02 0xDEADBEEF $5 50% \u00bd \u2167 \u0663\u0664 \u00b2 <b> </b> {x} [y] (z) != => // /* */ "
         "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f44d\U0001f3fd").split()  # fmt: skip


def scalar(r, low, high):
    while True:
        c = r.randint(low, high)
        if not 0xD800 <= c <= 0xDFFF:
            return chr(c)


def piece(r, pieces, specials):
    kind = r.randrange(100)
    if kind < 30:
        return r.choice(WORDS)
    if kind < 45:
        return r.choice(SPACES) if r.random() < 0.5 else " "
    if kind < 60:
        low, high = r.choice(RANGES)
        return "".join(scalar(r, low, high) for _ in range(r.randint(1, 6)))
    if kind < 64:
        return r.choice(CONTRACTIONS)
    if kind < 70:
        return "".join(r.choice("0123456789") for _ in range(r.randint(1, 9)))
    if kind < 76:
        return "".join(r.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(r.randint(1, 5)))
    if kind < 80:
        return "".join(r.choice("aAbBcCzZéÉßσΣςДдǅʰ中ก\u0301\u0903") for _ in range(r.randint(1, 8)))
    if kind < 82:
        return r.choice("aX1 \n.-\u4e2d\u0301") * r.randint(2, 30)
    if kind < 97 or not specials:
        return r.choice(pieces)
    special = r.choice(specials)
    return special if r.random() < 0.7 else special[: r.randint(1, len(special))]


def text_of(r, pieces, specials):
    n = r.choice((0, 1, 1, 2, 3, 4, 5, 6, 8, 12, 20, 40))
    glue = r.choice(("", "", " "))
    return glue.join(piece(r, pieces, specials) for _ in range(n))


def too_young(document):
    """Characters for which the normalizers and BERT's cut of `tokenizers` follow a Unicode of long ago."""
    normalizer = document["normalizer"] or {}
    kind = normalizer.get("type")
    if kind == "Sequence":
        return set().union(*(too_young({"normalizer": part}) for part in normalizer["normalizers"]))
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    if kind in ("NFC", "NFD", "NFKC", "NFKD"):
        # Marks younger than its tables are not put in order: not after a mark that goes behind them.
        normal = getattr(importlib.import_module("tokenizers.normalizers"), kind)()
        return {c for c in every if unicodedata.combining(c) not in (0, 1) and normal.normalize_str(f"a\u0315{c}")
                != unicodedata.normalize(kind, f"a\u0315{c}") or unicodedata.category(c) == "Cn"
                or normal.normalize_str(c) != unicodedata.normalize(kind, c)}  # fmt: skip
    if kind == "StripAccents":
        normal = importlib.import_module("tokenizers.normalizers").StripAccents()
        return {c for c in every if (unicodedata.category(c)[0] == "M") != (normal.normalize_str("a" + c) == "a")}
    if kind == "BertNormalizer":
        normal = importlib.import_module("tokenizers.normalizers").BertNormalizer()
        cut = importlib.import_module("tokenizers.pre_tokenizers").BertPreTokenizer()
        out = set()
        for c in every:
            category = unicodedata.category(c)
            alone = len(cut.pre_tokenize_str(f"a{c}a")) == 3
            mark = category == "Mn" and normal.normalize_str("a" + c) != "a"
            if category == "Cn" or mark or alone != (category[0] == "P" or c in string.punctuation):
                out.add(c)
        return out
    return set()


def loses_marks(normalizer, text):
    """SentencePiece leaves a mark alone that follows a character which its table replaces; the reference drops it."""
    normal = normalizer.normalize_str
    return any(unicodedata.category(b)[0] == "M" and normal(a + b) == normal(a) for a, b in zip(text, text[1:]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    text = open(arguments.tokenizer, encoding="utf-8").read()
    plain, strict = tokenizers.Tokenizer.from_str(text), tokenizers.Tokenizer.from_str(text)
    strict.encode_special_tokens = True
    for t in (plain, strict):
        t.no_padding()
        t.no_truncation()
    document = json.loads(text)
    if (document["decoder"] or {}).get("type") == "WordPiece":
        prefix = document["decoder"]["prefix"]
        strict.decoder = importlib.import_module("tokenizers.decoders").WordPiece(prefix, cleanup=False)
    added, forbidden = sorted(t["content"] for t in document["added_tokens"]), []
    if document["model"].get("type") == "Unigram":
        forbidden, added = added, []  # the reference's Unigram makes special tokens of plain text, the library does not
    vocabulary = document["model"]["vocab"]
    known = sorted(vocabulary.values()) if isinstance(vocabulary, dict) else range(len(vocabulary))
    r = random.Random(arguments.seed)
    pieces = sorted({plain.decode([i], skip_special_tokens=False) for i in r.sample(list(known), min(len(known), 20000))})
    pieces = [p.replace("\ufffd", "") or "x" for p in pieces if p not in forbidden]

    batch = [text_of(r, pieces, added) for _ in range(arguments.count)]
    young, has_table = too_young(document), "precompiled_charsmap" in text
    same = [t for t in batch if not young & set(t) and not (has_table and loses_marks(plain.normalizer, t))]
    print(len(batch) - len(same), "texts left out where the reference is old or wrong", file=sys.stderr)
    batch = same
    print(json.dumps({"around": plain.encode("a").ids}))
    recognised = plain.encode_batch(batch, add_special_tokens=False)
    as_text = strict.encode_batch(batch, add_special_tokens=False)
    decoded = strict.decode_batch([ids.ids for ids in as_text], skip_special_tokens=True)
    for t, ids, plain_ids, back in zip(batch, recognised, as_text, decoded):
        case = {"text": t, "recognised": ids.ids}
        if plain_ids.ids != ids.ids:
            case["plain"] = plain_ids.ids
        if back != t:
            case["decoded"] = back
        print(json.dumps(case, separators=(",", ":")))


if __name__ == "__main__":
    main()
