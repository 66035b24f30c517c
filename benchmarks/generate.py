"""Answers of a model: tradewind's `answer_all` beside one prompt at a time and beside plain batches.

    python benchmarks/generate.py
    python benchmarks/generate.py --model gemma-2-2b

Each loads the model, answers every prompt greedily, and all must give the same text. Plain batches are 32 prompts in
the order they come, padded on the left, as the documentation of transformers shows it. Random weights never stop of
themselves: see `setting/stopping.py` for what makes these answers end, at different lengths. Loading is part of the
time of each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from setting.machine import machine
from setting.places import RESULTS, environment
from setting.results import Bar, Table, result, show_and_keep
from setting.rows import pairs_of
from setting.scale import Scale, add_model_option, chosen, described
from setting.stopping import stopping_model_folder
from setting.timing import FEWEST, Spread, counted, interleaved, ratio

_BATCH = 32
OURS, ONE, PLAIN = "Tradewind", "one prompt at a time", f"plain batches of {_BATCH}"
_BARS = {ONE: 8.0, PLAIN: 1.5}
_ALIKE = 0.98
Answers = list[str]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--prompts", type=int)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ.update(environment())
    scale, found_on = chosen(arguments.model), machine()
    folder = stopping_model_folder(scale)
    prompts = prompts_of(scale, folder, arguments.prompts or scale.prompts)
    timed = {name: partial(_timed, way, scale, folder, prompts) for name, way in WAYS.items()}
    ours(scale, folder, prompts[:2])  # imports are nobody's
    runs = interleaved(timed, arguments.rounds)
    answers = {name: found[0][1] for name, found in runs.items()}
    alike = {name: agreement(answers[OURS], given) for name, given in answers.items()}
    if min(alike.values()) < _ALIKE:
        raise SystemExit(f"tradewind: the answers are not the same: {alike}")
    seconds = {name: [run[0] for run in found] for name, found in runs.items()}
    lengths = [len(answer.split()) for answer in answers[OURS]]
    rows = tuple(
        (
            name, str(Spread.of(found)), f"{sum(lengths) / Spread.of(found).median:,.0f}",
            "" if name == OURS else f"{ratio(found, seconds[OURS]):.2f}x", f"{alike[name]:.1%}",
        )
        for name, found in seconds.items()
    )  # fmt: skip
    head = ("", "s", "words/s", "Tradewind is faster", "answers equal to Tradewind's")
    spread = f"answers of {min(lengths)} to {max(lengths)} words, {statistics.median(lengths):.0f} the median"
    bars = [Bar(question=f"against {name}", asked=bar, measured=ratio(seconds[name], seconds[OURS]))
            for name, bar in _BARS.items()] if scale.name == "bench" else []  # fmt: skip
    setting = {"model": described(scale)["model"], "prompts": str(len(prompts)), "answers": spread,
               "max_new_tokens": str(scale.max_new_tokens)}  # fmt: skip
    show_and_keep(
        result(
            question=f"generate{scale.suffix}", title=f"Generation, the {scale.name} model",
            command="python benchmarks/generate.py" + ("" if scale.name == "bench" else f" --model {scale.name}"),
            setting=setting, bars=bars, raw={"seconds": seconds, "words": lengths}, found_on=found_on,
            tables=[Table(title="Greedy answers", head=head, rows=rows, note=f"{counted(arguments.rounds)}.")],
        ),
        arguments.out,
    )  # fmt: skip


def prompts_of(scale: Scale, folder: Path, count: int) -> list[list[int]]:
    """Questions of the rows' mix, in their shuffled order."""
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import chat_prompt

    tokenizer = load_tokenizer(folder)
    return [chat_prompt(tokenizer, pair.question) for pair in pairs_of(scale, count, seed=9)]


def ours(scale: Scale, folder: Path, prompts: Sequence[list[int]]) -> Answers:
    """As the evaluation has models answer."""
    from tradewind.config import EvaluateConfig, ModelConfig
    from tradewind.training.generate import answer_all
    from tradewind.training.generation.plan import plan
    from tradewind.training.load import load_tokenizer

    model = ModelConfig(model_name_or_path=str(folder), dtype="bfloat16" if scale.gpu else "float32")
    config = EvaluateConfig(max_new_tokens=scale.max_new_tokens)
    made = answer_all(
        "bench", folder, prompts, tokenizer=load_tokenizer(folder), model_config=model, config=config,
        plan=plan(folder, prompts, model, config),
    )  # fmt: skip
    return [answer.text for answer in made.answers]


def in_batches(scale: Scale, folder: Path, prompts: Sequence[list[int]], size: int) -> Answers:
    """`model.generate` on batches in the order they come; a batch of one is a prompt at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tradewind.training.tokens import stop_ids

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, scale.dtype), attn_implementation="eager"
    ).to(device)
    answers: Answers = []
    for at in range(0, len(prompts), size):
        given = tokenizer.pad({"input_ids": list(prompts[at : at + size])}, return_tensors="pt").to(device)
        made = model.generate(
            **given, do_sample=False, max_new_tokens=scale.max_new_tokens, eos_token_id=stop_ids(tokenizer)
        )
        rows = made[:, given["input_ids"].shape[1] :].tolist()
        answers += [_text(tokenizer, row) for row in rows]
    return answers


def agreement(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of equal answers: in low precision a tie may fall otherwise in another batch."""
    return sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(ours)


def _text(tokenizer: Any, row: Sequence[int]) -> str:
    from tradewind.training.tokens import stop_ids

    stops = stop_ids(tokenizer)
    end = next((at for at, token in enumerate(row) if token in stops), None)
    return str(tokenizer.decode(row[:end], skip_special_tokens=True)).strip()


def _timed(
    way: Callable[[Scale, Path, Sequence[list[int]]], Answers], scale: Scale, folder: Path, prompts: list[list[int]]
) -> tuple[float, Answers]:
    began = time.perf_counter()
    answers = way(scale, folder, prompts)
    return time.perf_counter() - began, answers


WAYS: dict[str, Callable[[Scale, Path, Sequence[list[int]]], Answers]] = {
    OURS: ours,
    ONE: partial(in_batches, size=1),
    PLAIN: partial(in_batches, size=_BATCH),
}


if __name__ == "__main__":
    main()
