"""Sentence embeddings: tradewind's `embed` beside a plain loop over the texts, with the same encoder.

python benchmarks/score.py
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from setting.machine import machine
from setting.places import RESULTS, environment
from setting.results import Table, result, show_and_keep
from setting.rows import pairs_of
from setting.scale import SCALES
from setting.timing import FEWEST, Spread, counted, interleaved, ratio

ENCODER = "embedded:all-MiniLM-L6-v2"
_ALIKE = 1e-4
Vectors = npt.NDArray[np.float64]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ.update(environment())
    found_on = machine()
    texts = [pair.answer for pair in pairs_of(SCALES["tiny"], arguments.texts)]
    contestants = {"Tradewind": lambda: _timed(texts, embedded), "one at a time": lambda: _timed(texts, one_at_a_time)}
    _timed(texts[:2], embedded)  # imports are nobody's
    runs = interleaved(contestants, arguments.rounds)
    apart = float(np.abs(runs["Tradewind"][0][1] - runs["one at a time"][0][1]).max())
    if apart > _ALIKE:
        raise SystemExit(f"tradewind: the vectors differ by {apart:.2g}: it is not the same that is compared")
    seconds = {name: [run[0] for run in found] for name, found in runs.items()}
    rows = tuple(
        (
            name, str(Spread.of(found)), f"{len(texts) / Spread.of(found).median:,.0f}",
            "" if name == "Tradewind" else f"{ratio(found, seconds['Tradewind']):.2f}x",
        )
        for name, found in seconds.items()
    )  # fmt: skip
    note = f"{counted(arguments.rounds)}, the encoder's loading included; vectors differ by {apart:.0e} at most."
    table = Table(title="Sentence embeddings", head=("", "s", "texts/s", "Tradewind is faster"), rows=rows, note=note)
    setting = {
        "encoder": ENCODER,
        "texts": f"{len(texts)} answers of the samples, {len(set(texts))} different",
    }
    show_and_keep(
        result(
            question="score", title="Scoring: sentence embeddings", command="python benchmarks/score.py",
            setting=setting, tables=[table], raw=seconds, found_on=found_on,
        ),
        arguments.out,
    )  # fmt: skip


def embedded(texts: Sequence[str]) -> Vectors:
    """As the evaluation embeds answers."""
    from tradewind.metrics.semscore import embed

    return embed(texts, ENCODER).vectors


def one_at_a_time(texts: Sequence[str]) -> Vectors:
    """As a loop does without a thought."""
    from sentence_transformers import SentenceTransformer

    from tradewind.models import locate

    model = SentenceTransformer(str(locate(ENCODER)))
    return np.array([model.encode(text, normalize_embeddings=True, show_progress_bar=False) for text in texts])


def _timed(texts: Sequence[str], function: Callable[[Sequence[str]], Vectors]) -> tuple[float, Vectors]:
    began = time.perf_counter()
    vectors = function(texts)
    return time.perf_counter() - began, vectors


if __name__ == "__main__":
    main()
