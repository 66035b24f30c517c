"""The example in docs/pipelines.md is a pipeline."""

from __future__ import annotations

import re
from pathlib import Path

from documents import REPOSITORY
from tradewind.pipeline.read import parse_pipeline


def test_the_pages_example_is_valid() -> None:
    page = (REPOSITORY / "docs" / "pipelines.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert [task.name for task in parse_pipeline(example, Path("example.yaml")).pipeline.tasks] == [
        "configure", "prepare", "finetune", "publish",
    ]  # fmt: skip
