# SPDX-License-Identifier: Apache-2.0
"""The tiny checkpoints of every family as safetensors folders that inlay made from GGUF files, run by transformers.

    cmake --build --preset test --target test_convert_families
    python tests/reference/converted_folders.py build/test/tests/convert/test_convert_families

The program converts each published-style folder to a GGUF and that to a folder again; transformers gets nothing but that
folder: config.json tells it the class and all sizes. Prints the largest difference to the expected logits (of the
pooled vector for an embedder) of each checkpoint, relative to the largest, and exits with 1 where transformers reports a missing,
unexpected or misshapen tensor or the difference is more than that of rounding in another order.

OpenELM, which transformers does not have, is run by the equations of models/make_openelm.py, with the config.json that was
written in place of the published one: heads and widths of each layer are taken from its lists.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "data" / "models"
sys.path[0] = str(HERE / "models")  # not tokenizers.py of this folder, which bears a package's name

import make_openelm  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

TOLERANCE = 2e-6  # of numbers that are the same but for rounding of norms (one is added and taken away) and decays


def openelm(folder, ids):
    make_openelm.CONFIG.clear()
    make_openelm.CONFIG.update(json.loads((folder / "config.json").read_text()))
    weights = load_file(folder / "model.safetensors")
    widths = [weights[f"transformer.layers.{i}.ffn.proj_2.weight"].shape[1] for i in range(len(make_openelm.CONFIG["num_kv_heads"]))]
    if widths != make_openelm.ffn_widths():
        raise RuntimeError(f"{folder}: ffn_multipliers make {make_openelm.ffn_widths()}, the tensors have {widths}")
    return make_openelm.logits({name: t.float() for name, t in weights.items()}, ids)


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    model_class = getattr(transformers, config["architectures"][0])
    model, info = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    # What was learned for another purpose than the type's is not in the file.
    problems = {k: v for k, v in info.items() if v and not (k == "missing_keys" and all("pooler" in name for name in v))}
    if problems:
        raise RuntimeError(f"{folder}: loading reports {problems}")
    return model.eval()


def pairs(name, folder):
    """What is computed and what is expected, as often as there are expectations."""
    if name.startswith("openelm"):
        expected = load_file(MODELS / name / "expected.safetensors")
        yield openelm(folder, expected["input_ids"]), expected["logits"]
        return
    model = load(folder)
    for path in sorted((MODELS / name).glob("expected*.safetensors")):
        if path.name.count(".") > 1 and "long" not in path.name:  # of quantized weights
            continue
        expected = load_file(path)
        if "attention_mask" not in expected:
            yield model(expected["input_ids"][None], use_cache=False).logits[0], expected["logits"]
            continue
        for i, mask in enumerate(expected["attention_mask"]):  # MobileBERT is expected without padding
            text = {k: expected[k][i : i + 1, : mask.sum()] for k in ("input_ids", "attention_mask", "token_type_ids")}
            out = model(**text)
            if "logits" in expected:
                yield out.logits[0], expected["logits"][i]
            else:
                yield normalize(out.last_hidden_state[0].mean(0), dim=0), expected["embedding"][i]


@torch.no_grad()
def main(converter):
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([converter], env=os.environ | {"INLAY_CONVERTED": scratch}, stdout=subprocess.DEVNULL, check=True)
        print(f"| checkpoint | class | transformers {transformers.__version__} |\n|---|---|---|")
        for folder in sorted(f for f in pathlib.Path(scratch).iterdir() if f.is_dir()):
            largest = max(float((got - wanted).abs().max() / wanted.abs().max()) for got, wanted in pairs(folder.name, folder))
            failed |= not largest <= TOLERANCE
            kind = json.loads((folder / "config.json").read_text())["architectures"][0]
            print(f"| {folder.name} | {kind} | {largest:.1e} |")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
