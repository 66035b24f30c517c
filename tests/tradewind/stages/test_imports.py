"""What a stage imports is a part of its time: none loads what only another one needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TRAINING = ["trl", "peft", "sentence_transformers", "tradewind.training.train"]
MODEL = ["torch", "transformers", "accelerate", *TRAINING]
LOADED = """
import importlib, json, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("modules", "others"),
    [
        (["tradewind.stages.prepare", "tradewind.reporting.plots", "datasets"], MODEL),
        (["tradewind.stages.report", "tradewind.reporting.plots", "tradewind.reporting.render"], [*MODEL, "datasets"]),
        (["tradewind.stages.extract"], [*MODEL, "datasets", "matplotlib"]),
        (["tradewind.stages.baseline", "tradewind.training.answer_cache"], [*TRAINING, "matplotlib"]),
        (["tradewind.stages.evaluate", "tradewind.training.answer_cache"], [*TRAINING, "matplotlib"]),
    ],
    ids=["prepare", "report", "extract", "baseline", "evaluate"],
)
def test_a_stage_loads_nothing_that_only_others_need(modules: list[str], others: list[str]) -> None:
    command = [sys.executable, "-c", LOADED, ",".join(modules)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert set(modules) <= loaded
    assert loaded & set(others) == set()
