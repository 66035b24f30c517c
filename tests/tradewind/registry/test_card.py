"""The model card: metadata that the hub reads, figures that are the report's, and text that cannot act."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from finished_run import HOSTILE, Night
from tradewind.models import EMBEDDED


def _front_matter(card: str) -> dict[str, Any]:
    return dict(yaml.safe_load(card.split("---\n")[1]))


def _card(night: Night, **settings: Any) -> str:
    return (night(**settings).version.path / "README.md").read_text(encoding="utf-8")


def test_the_metadata_names_base_language_and_licence(night: Night) -> None:
    gemma = {"model.model_name_or_path": "google/gemma-2-2b-it"}
    assert _front_matter(_card(night, overrides=gemma)) == {
        "license": "gemma",
        "base_model": "google/gemma-2-2b-it",
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["tradewind", "question-answering", "lora"],
    }


def test_a_base_that_is_no_model_of_the_hub_is_not_called_one(night: Night, tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED / "tiny-gemma2", tmp_path / "secret project" / "our-base")
    local = {"model.model_name_or_path": str(tmp_path / "secret project" / "our-base"), "finetune.lora": None}
    card = _card(night, overrides=local)
    assert _front_matter(card).keys() == {"language", "library_name", "pipeline_tag", "tags"}
    assert _front_matter(card)["tags"] == ["tradewind", "question-answering"]
    assert "our-base, tuned to answer" in card
    assert "secret project" not in card


def test_scores_intervals_gate_and_data_stand_in_it(night: Night) -> None:
    card = _card(night)
    assert "| reworded (en) | SemScore | 40 | 0.500 | 0.600 | 0.750 |" in card
    assert r"tuned is above base, +0.200 (95% interval +0.150 to +0.250)" in card
    assert "The gate would promote it:" in card
    assert "| pairs trained on | 100 |" in card
    assert re.search(r"\| sha256 of train.jsonl \| [0-9a-f]{64} \|", card)
    assert "LoRA of rank 64, alpha 128, merged" in card
    refused = _card(night, gain=0.0)
    assert "The gate refuses it over v1:" in refused


def test_text_from_outside_has_no_meaning_to_markdown_or_html(night: Night) -> None:
    card = _card(night, warnings=(HOSTILE, "ends the code\n```\n# Not a heading"))
    page = MarkdownIt("commonmark").enable("table").render(card.split("---\n", 2)[2])
    assert "<script>" not in page
    assert "<a " not in page
    assert "49" not in re.findall(r"\b\d+\b", page.split("<h2>Limits</h2>")[1].split("<h2>")[0])
    headings = re.findall(r"<h2>(.*)</h2>", page)
    assert headings == ["Intended use", "Limits", "Scores", "Data", "Training", "How to load it"]
    assert page.count("<h1>") == 1


@pytest.mark.slow
def test_the_lines_under_how_to_load_it_load_a_model_and_answer(night: Night) -> None:
    version = night().version
    shutil.rmtree(version.model)
    shutil.copytree(EMBEDDED / "tiny-gemma2", version.model)
    lines = (version.path / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=version.path, env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
