"""The prepared pairs as others take them: in trainers' forms, with a card, on request on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradewind.dataset.files import write_dataset_files
from tradewind.dataset.push import push_dataset
from tradewind.reporting.dataset_card import CARD, PAGE, write_dataset_card
from tradewind.stages.stage_run import StageRun


def publish_data_set(stage: StageRun) -> None:
    """Write them beside the pairs, once the split is proven from the rows themselves.

    Raises:
        UserError: the hub refuses them.
        AssertionError: a record does not keep to its kind: a fault of ours.
    """
    work, config = stage.work, stage.config
    # The folder's own name: where it lies on this machine is nobody's matter who gets the card.
    name = config.data.hub_dataset_id or f"{config.recipe}: {Path(config.data_dir).name}"
    write_dataset_card(work, work, title=name, config=config, accounting=_accounting(stage.metrics))
    stage.outputs += [CARD, PAGE, *write_dataset_files(work, work)]
    if config.data.push_to_hub:
        push_dataset(work, str(config.data.hub_dataset_id))


def _accounting(metrics: dict[str, Any]) -> dict[str, int]:
    """From entries to pairs; every line but the sums is a part of the one above."""
    entries, heldout = metrics["entries"], metrics["heldout"]
    return {
        "files": metrics["files"],
        "entries in them": entries["read"],
        "entries converted": entries["converted"],
        "entries rejected": entries["rejected"],
        **({"entries left out (data.max_records)": metrics["left_out"]} if metrics["left_out"] else {}),
        "pairs made of them": metrics["pairs_made"],
        "pairs to train on": metrics["train"],
        **{f"pairs held out, {kind}": count for kind, count in heldout.items()},
        "pairs rejected as near-duplicates": metrics["near_duplicates"],
        "pairs rejected as unfit": metrics["unfit"],
    }
