"""The stages of a run: what each reads, and which run beside each other."""

from __future__ import annotations

from typing import Literal

Stage = Literal["extract", "prepare", "baseline", "adapt", "finetune", "evaluate", "report"]
STAGES: tuple[Stage, ...] = ("extract", "prepare", "baseline", "adapt", "finetune", "evaluate", "report")
SKIPPABLE: tuple[str, ...] = (*STAGES, "register")
"""What a run may be asked to leave out, by name."""
UPSTREAM: dict[Stage, tuple[Stage, ...]] = {
    "extract": (),
    "prepare": ("extract",),
    "baseline": ("prepare",),
    "adapt": ("prepare",),
    "finetune": ("prepare", "adapt"),
    "evaluate": ("prepare", "adapt", "finetune"),
    "report": ("prepare", "adapt", "finetune", "evaluate"),
}
"""The stages whose outputs a stage may read."""
LANES: dict[Stage, str] = {"baseline": "baseline", "adapt": "training", "finetune": "training"}
"""Stages that may run beside others of the same run: one in each lane."""
WITH_TEAM: tuple[Stage, ...] = ("baseline", "adapt", "finetune", "evaluate")
"""Stages with a model, whose work several processes may share."""
TRAININGS: tuple[Stage, ...] = ("adapt", "finetune")
"""Those with steps, whose examples the processes have to share evenly."""
