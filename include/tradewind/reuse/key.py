"""The key under which a result is found again: a hash of all that decides what a stage makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.config import RunConfig
from tradewind.models import check_location, locate
from tradewind.registry.version import CHAMPION_INPUT
from tradewind.results import Artifact
from tradewind.reuse.hashes import FileHashes
from tradewind.shard import WHOLE, Shard
from tradewind.stages import Stage

DECIDES: dict[Stage, tuple[str, ...]] = {
    "extract": (
        "extract", "data.max_line_bytes", "data.max_records", "model",
        "evaluate.encoder", "evaluate.encoder_revision", "evaluate.max_floor",
    ),
    "prepare": ("recipe", "data_dir", "data", "split", "seed", "extract"),
    "baseline": (
        "model", "evaluate.per_device_eval_batch_size", "evaluate.generator", "evaluate.max_new_tokens",
    ),
    "adapt": ("model", "seed", "adapt"),
    "finetune": ("model", "seed", "finetune"),  # of a trial of a sweep "sweep", too
    "evaluate": ("model", "seed", "evaluate", "split.min_items"),
}  # fmt: skip
"""For each stage the settings of RunConfig that have a say in what it makes; all have in the report."""
_HOW_ASKED = (
    "api_key_env", "timeout", "concurrency", "patience", "budget", "price", "batch", "batch_poll_seconds", "shards",
)  # fmt: skip
"""Of a server that is asked, what decides how fast and how dear its answers come, not what they are."""
ANY_CHAMPION = "any"


def key_of(
    stage: Stage,
    config: RunConfig,
    inputs: Mapping[str, Artifact],
    hashes: FileHashes,
    *,
    code: str,
    shard: Shard,
    champion: str | None = None,
    told: Mapping[str, Any] | None = None,
) -> str:
    """A hash of the stage, its settings, its inputs' hashes and the code; equal means the same outcome is due.

    Folders count by what is in them: documents moved elsewhere are the same, a model trained anew under an old name
    is another. A model of the hub is known by its name and revision, the embedded ones by the code.

    Args:
        inputs: the documents among them, for the stages that read them.
        champion: the hash of the model that `evaluate` compares with; or `ANY_CHAMPION`.
        told: what else the stage tells of the run.

    Raises:
        UserError: a model's folder is not there.
    """
    read = {name: artifact.sha256 for name, artifact in inputs.items() if name != CHAMPION_INPUT}
    settings = _settings(stage, config, hashes)
    part = str(shard)
    if stage == "finetune" and shard != WHOLE:
        part = "trial"  # in which place of which sweep it stands decides nothing
        settings["sweep"] = config.sweep.model_dump(mode="json")
    decides = [stage, part, settings, read, code, champion, dict(told or {})]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _settings(stage: Stage, config: RunConfig, hashes: FileHashes) -> dict[str, Any]:
    settings = config.model_dump(mode="json")
    for asked in (settings["extract"], settings["evaluate"]["judge"]):
        for name in _HOW_ASKED if asked else ():
            asked.pop(name, None)
    if stage == "report":
        return settings  # with the folders' own names, which it tells
    settings["data_dir"] = Path(config.data_dir).name  # stands on the data set's card; what is in it is an input
    found = {dotted: _at(settings, dotted) for dotted in DECIDES[stage]}
    # Only where it counts: a model is gigabytes.
    if "model" in found:
        found["model"]["model_name_or_path"] = _identity(config.model.model_name_or_path, hashes)
    if "evaluate" in found:
        found["evaluate"]["encoder"] = _identity(config.evaluate.encoder, hashes)
    if "evaluate.encoder" in found:
        found["evaluate.encoder"] = _identity(config.evaluate.encoder, hashes)
    return found


def _at(settings: Mapping[str, Any], dotted: str) -> Any:
    block, _, inner = dotted.partition(".")
    return settings[block][inner] if inner else settings[block]


def _identity(model: str, hashes: FileHashes) -> str:
    folder = local_model(model)
    if folder is None:
        return model
    check_location(model)
    return f"sha256 {hashes.of_folder(folder)}"


def local_model(name: str) -> Path | None:
    """The folder of a model of the user's own; None for one that is embedded or on the hub."""
    found = None if name.startswith("embedded:") else locate(name)
    return found.resolve() if isinstance(found, Path) else None
