"""What `bf16: auto` comes to in a whole night, of which a benchmark's few steps are a stretch.

    python benchmarks/trainers/night.py JOB.json OUT.json

A training of a few steps is too short to measure itself before it begins, and stays in float32. The original's night
has 26,000 examples, three times: there the measurement is made, and so here, once and before any round.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from trainers.job import Job, read_pairs
from trainers.ours import BATCH, config_of, model_config

EXAMPLES, EPOCHS = 26_000, 3


def chosen_for_a_night(job: Job) -> dict[str, Any]:
    """`bf16`, and `why`, by the function that a training asks."""
    from tradewind.training.load import load_model, load_tokenizer
    from tradewind.training.precision import choose_bfloat16, training_flops
    from tradewind.training.tokens import pair_tokens
    from tradewind.training.train import with_adapter

    tokenizer = load_tokenizer(job.model)
    pairs = read_pairs(job.pairs)
    lengths = [len(pair_tokens(tokenizer, pair["question"], pair["answer"])["input_ids"]) for pair in pairs]
    config = config_of(job)
    assert config.lora is not None  # noqa: S101 - for the type alone
    model = with_adapter(load_model(job.model, model_config(job)), config.lora)
    flops = training_flops(model, int(statistics.fmean(lengths) * EXAMPLES * EPOCHS))
    found, why = choose_bfloat16(model, int(statistics.median(lengths)), BATCH, flops, config)
    return {"bf16": found, "why": why}


def main() -> None:
    """Choose and keep it."""
    found = chosen_for_a_night(Job.read(Path(sys.argv[1])))
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
