"""The tasks of ours that a pipeline names by `uses`, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TriggerRule = Literal[
    "all_success", "all_done", "all_failed", "all_skipped", "always", "none_failed", "none_failed_min_one_success",
    "none_skipped", "one_done", "one_failed", "one_success",
]  # fmt: skip
"""Airflow's."""
_RUN = frozenset({"recipe", "data", "seed", "overrides"})
_TELL = frozenset({"channel", "mention", "slack_conn_id", "base_url"})


@dataclass(frozen=True)
class Uses:
    """One of them."""

    says: str
    """What it does, for an editor."""
    arguments: frozenset[str] = frozenset()
    """What `with` may hold."""
    inputs: Mapping[str, bool] | None = None
    """What it takes from the results of other tasks, and whether it must."""
    is_stage: bool = False
    """Whether it runs in an image with resources, mounts and an environment."""
    has_model: bool = False
    """Whether it takes the GPUs that the deployment gives each task with a model."""
    takes_secrets: bool = False
    mapped_by: str | None = None
    """The argument that `for_each` must give it."""
    trigger_rule: TriggerRule = "all_success"
    outlets: tuple[str, ...] = ()
    """The assets that it may tell of."""

    @property
    def all_inputs(self) -> Mapping[str, bool]:
        """`inputs`, empty where there are none."""
        return self.inputs or {}


def _stage(says: str, *, model: bool = False, asks: bool = False, mapped_by: str | None = None) -> Uses:
    return Uses(
        says, _RUN | {"models_dir"}, is_stage=True, has_model=model, takes_secrets=model or asks, mapped_by=mapped_by,
        trigger_rule="all_success" if asks else "none_failed",
    )  # fmt: skip


USES: Mapping[str, Uses] = {
    "configure": Uses("check what a run is asked to do, and keep it", _RUN, takes_secrets=True),
    "configure_sweep": Uses("the same for several settings of fine-tuning", _RUN, takes_secrets=True),
    "shards": Uses("how the transcripts' passages are divided", _RUN),
    "extract": _stage("draw pairs from transcripts by a model behind a server", asks=True, mapped_by="shard"),
    "prepare": _stage("documents to pairs, held-out questions and a corpus"),
    "baseline": _stage("the base's answers to the held-out questions", model=True),
    "adapt": _stage("let the base model read the documents", model=True),
    "finetune": _stage("LoRA on the pairs", model=True),
    "trial": _stage("fine-tuning with one of a sweep's settings", model=True, mapped_by="shard"),
    "choose": Uses("the best of a sweep's trials", inputs={"trials": True}, trigger_rule="all_done"),
    "evaluate": _stage("base and tuned on the held-out questions", model=True),
    "report": _stage("the report with its plot"),
    "register": Uses(
        "keep the model as a version, champion if it is better", frozenset({"models_dir"}), takes_secrets=True,
        trigger_rule="none_failed", outlets=("model",),
    ),
    "approve": Uses(
        "ask a human, where the recipe says so", frozenset({"models_dir", "response_timeout"}), {"registered": True}
    ),
    "promote": Uses(
        "make the approved version champion", frozenset({"models_dir"}), {"registered": True, "approval": False},
        takes_secrets=True, outlets=("model",),
    ),
    "announce": Uses("tell Slack that the run begins", _TELL | {"models_dir"}),
    "notify": Uses(
        "tell Slack how the run ended",
        _TELL | {"models_dir", "examples", "register_task_id", "approve_task_id", "tell_task_ids", "done_without"},
        {"registered": False}, trigger_rule="all_done",
    ),
    "tell_promotion": Uses(
        "tell Slack what became of an approval", _TELL | {"models_dir", "register_task_id", "promote_task_ids"},
        {"registered": True, "promoted": True}, trigger_rule="all_done",
    ),
    "hand_over": Uses(
        "wait until a service serves the new champion", frozenset({"models_dir", "timeout"}),
        {"registered": True, "promoted": False}, trigger_rule="none_failed",
    ),
    "watch_documents": Uses("tell a pipeline when its documents changed", frozenset({"recipe", "data", "documents"})),
    "end": Uses("nothing; the run fails where a task before it did", trigger_rule="none_failed"),
}  # fmt: skip
"""By name."""
IMAGE = Uses("anyone's image", is_stage=True, takes_secrets=True)
"""A task that names an image instead."""
