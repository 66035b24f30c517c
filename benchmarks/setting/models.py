"""The models: the embedded one as it is, the others of random weights, built once into the cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from setting.places import cache
from setting.scale import Scale
from setting.vocabulary import tokenizer
from tradewind.models import EMBEDDED

SEED = 20
_FORM = 2  # raise it where what is built changes


def model_folder(scale: Scale) -> Path:
    """The folder of the scale's model, with its tokenizer; it is built where it is not there."""
    if not scale.vocabulary:
        return EMBEDDED / "tiny-gemma2"
    made = {"form": _FORM, "vocabulary": scale.vocabulary, "dtype": scale.dtype, **asdict(scale)["architecture"]}
    key = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache("models") / f"{scale.name}-{key}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        print(f"building the model {scale.name} into {folder} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            _build(scale, Path(beside) / "model")
            shutil.move(Path(beside) / "model", folder)
    return folder


def _build(scale: Scale, folder: Path) -> None:
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM, set_seed

    words = tokenizer(scale.vocabulary)
    set_seed(SEED)
    device = "cuda" if scale.gpu else "cpu"
    with torch.device(device):
        model = Gemma2ForCausalLM(
            Gemma2Config(
                vocab_size=scale.vocabulary,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
                attn_implementation="eager",
                **scale.architecture,
            )
        )
    print(f"{model.num_parameters():,} parameters", file=sys.stderr)
    model.to(getattr(torch, scale.dtype)).save_pretrained(folder)
    words.save_pretrained(folder)
