"""What can be known to fail before anything runs."""

from __future__ import annotations

import importlib.util
import os

from tradewind.config import JudgeConfig, RunConfig
from tradewind.errors import UserError
from tradewind.models import check_location


def check_recipe(config: RunConfig) -> None:
    """Fail where a named model is not there or a tracker is not installed; nothing is downloaded.

    Raises:
        UserError: one line that names the setting and what to do.
    """
    check_location(config.model.model_name_or_path)
    check_location(config.evaluate.encoder)
    for stage in ("adapt", "finetune"):
        for tracker in getattr(config, stage).report_to:
            if importlib.util.find_spec(tracker) is None:
                raise UserError(f"{stage}.report_to: {tracker} is not installed; pip install {tracker}")


def check_judge(config: RunConfig) -> None:
    """Fail where a judge is configured and its key is not in this environment."""
    if config.evaluate.judge is not None:
        judge_key(config.evaluate.judge)


def judge_key(judge: JudgeConfig) -> str:
    """The judge's key; UserError names the variable where it is not set."""
    key = os.environ.get(judge.api_key_env)
    if not key:
        raise UserError(f"evaluate.judge: the environment variable {judge.api_key_env} is not set; set it to the key")
    return key
