"""`answer.json` in a run's folder: who approved or rejected its model. A rejection leaves no XCom."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tradewind.files import write_atomically
from tradewind.results import Contract
from tradewind_airflow.macros import run_dir
from tradewind_airflow.shared import publish_run

if TYPE_CHECKING:
    from airflow.sdk import Context

_NAME = "answer.json"
log = logging.getLogger(__name__)


class Answer(Contract):
    """What somebody said, or silence."""

    approved: bool
    who: str | None
    """None: nobody answered in time."""


def keep_answer(context: Context) -> None:
    """The `on_success_callback` of ApprovePromotionOperator. Never raises: the answer counts without it."""
    try:
        ti = context["ti"]
        said = getattr(context["task"], "hitl_summary_extra", {})
        who = (said.get("responded_by_user") or {}).get("name")
        folder = Path(run_dir(ti.dag_id, ti.run_id))
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _NAME, Answer(approved=bool(said.get("approved")), who=who).model_dump_json())
        publish_run(ti.dag_id, ti.run_id)
    except Exception as error:  # noqa: BLE001 - the message says less then
        log.warning("who answered is not kept: %s: %s", type(error).__name__, error)


def read_answer(folder: Path) -> Answer | None:
    """What was kept; None where nothing was."""
    try:
        return Answer.model_validate_json((folder / _NAME).read_bytes())
    except (OSError, ValidationError):
        return None
