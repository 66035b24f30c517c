"""A model of random weights whose answers end, at different lengths.

Random weights repeat one token for ever. Here the output layer is turned by one word: the most likely word after a word
is the next one of the vocabulary, up to the end of a run of words, after which comes `<end_of_turn>`. Runs are of
different lengths, and where in a run an answer begins depends on the whole prompt, since the token that a prompt ends
with has next to no embedding. The arithmetic is that of any Gemma-2 of this size with an output layer of its own.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from setting.models import SEED, model_folder
from setting.scale import Scale
from setting.vocabulary import FIRST_WORD

_LOUD, _FAINT = 3.0, 1e-3
_SHORTEST = 4


def stopping_model_folder(scale: Scale) -> Path:
    """Its folder; it is made where it is not there. The embedded model ends its answers by itself."""
    source = model_folder(scale)
    if not scale.vocabulary:
        return source
    folder = source.with_name(f"{source.name}-ending-{scale.max_new_tokens}")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            _make(scale, source, Path(beside) / "model")
            shutil.move(Path(beside) / "model", folder)
    return folder


def run_ends(vocabulary: int, longest: int) -> list[int]:
    """The last words of the runs, the same every time."""
    rng = random.Random(SEED)
    ends, at = [], FIRST_WORD
    while at < vocabulary:
        at += rng.randint(_SHORTEST, longest)
        ends.append(min(at, vocabulary) - 1)
    return ends


def _make(scale: Scale, source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tradewind.training.tokens import stop_ids

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, scale.dtype))
    model.config.tie_word_embeddings = False
    embeddings = model.get_input_embeddings().weight.data
    embeddings *= _LOUD
    ends = torch.tensor(run_ends(scale.vocabulary, scale.max_new_tokens))
    embeddings[ends] = embeddings[ends[0]].clone()
    output = torch.nn.Linear(embeddings.shape[1], embeddings.shape[0], bias=False, dtype=embeddings.dtype)
    output.weight.data = torch.roll(embeddings, 1, dims=0)
    begins = ends[:-1] + 1
    output.weight.data[begins] = torch.roll(embeddings[begins], 1, dims=1)  # nothing leads there but a prompt
    output.weight.data[:FIRST_WORD] = 0
    output.weight.data[tokenizer.convert_tokens_to_ids("<end_of_turn>")] = embeddings[ends[0]]
    embeddings[tokenizer.convert_tokens_to_ids("\n")] *= _FAINT
    model.set_output_embeddings(output)
    model.generation_config.eos_token_id = stop_ids(tokenizer)  # as a trained model's says, for whoever serves it
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
