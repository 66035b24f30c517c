"""The model in use, as an input of `evaluate`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind.registry.version import CHAMPION_INPUT, MODEL, Version
from tradewind.results import Artifact

if TYPE_CHECKING:
    from tradewind.stages.stage_run import StageRun

log = logging.getLogger("tradewind")
MODELS_VARIABLE = "TRADEWIND_MODELS"
"""Names the folder of the pipeline's models, `<home>/models/<dag_id>`; without it there is no champion."""


def champion_of(stage: StageRun) -> Version | None:
    """The champion, entered among the stage's inputs; None where there is none, or it is the tuned model itself.

    The pointer is read once: it may move while the stage is at work.

    Raises:
        UserError: the folder is not there, the pointer leads nowhere, or the model's files are not those that were
            registered.
    """
    folder = os.environ.get(MODELS_VARIABLE)
    if folder and not Path(folder).is_dir():  # on another machine, most likely, which does not mount it
        raise UserError(f"{folder}: no such folder; the champion is looked for there ({MODELS_VARIABLE})")
    champion = Registry(Path(folder)).champion() if folder else None
    if champion is None:
        return None
    tuned = stage.inputs.get("finetune/model")
    if tuned is not None and tuned.sha256 == champion.record.model_sha256:
        log.info("the tuned model has the weights of champion %s: nothing to compare with it", champion.name)
        return None
    champion.verify()
    stage.inputs[CHAMPION_INPUT] = Artifact(
        path=os.path.relpath(champion.model, stage.run_dir.path),
        sha256=champion.record.model_sha256,
        bytes=sum(made.bytes for name, made in champion.record.files.items() if name.startswith(f"{MODEL}/")),
    )
    return champion
