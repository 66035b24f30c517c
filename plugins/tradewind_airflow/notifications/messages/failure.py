"""A run failed: which task, why in one line, and where its log is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.links import run_link, run_name
from tradewind_airflow.notifications.message import (
    SECTION,
    Message,
    buttons,
    context,
    cut,
    escape,
    header,
    link,
    message,
    section,
)
from tradewind_airflow.notifications.scrub import scrub
from tradewind_airflow.notifications.states import FailedTask

_TASKS, _LINE, _QUOTED = 5, 400, 40
_ROOM = SECTION - 500
"""For the tasks' lines; the rest is for a mention and what is said of those left out."""
# Python escapes a mark inside of a quotation; of a text that was cut, its last quotation has no end.
_QUOTES = re.compile(r"(?<!\w)(['\"])((?:\\.|(?!\1)[^\\])+)(?:\1|(?=…\Z))")
_REASONS = {
    "timed_out": "the run's time limit has passed (dagrun_timeout)",
    "all_tasks_deadlocked": "no task can start any more (deadlock)",
}


def failed(
    about: About,
    tasks: Sequence[FailedTask],
    *,
    waiting: Sequence[str] = (),
    mention: str | None = None,
    reason: str | None = None,
) -> Message:
    """The failed tasks, the first one's log to press.

    Args:
        waiting: the tasks that had to wait for them.
        mention: whom to call.
        reason: Airflow's own, of a run without a failed task.
    """
    names = [task.name for task in tasks]
    what = f"{_and(names)} failed" if names else "the run failed"
    why = _REASONS.get(reason or "", "see the run's page" if not tasks else None)
    return message(
        f"{about.recipe}: {what}",
        header(f":x: {about.recipe}: {what}"),
        section("\n".join([*([mention] if mention else []), *_lines(tasks, about), *([why] if why else [])])),
        context(
            f"not run: {escape(', '.join(waiting))}" if waiting else None,
            escape(scrub(f"run {run_name(about.run_id)}")),
            escape(scrub(f"documents {about.data_name}")) if about.data_name else None,
        ),
        buttons(
            ("Open the log", tasks[0].link if tasks else None),
            ("Open the run", run_link(about.dag_id, about.run_id)),
        ),
    )


def _lines(tasks: Sequence[FailedTask], about: About) -> list[str]:
    """A line for each of the first, so many as fit whole: half a link would be no link."""
    lines: list[str] = []
    for task in tasks[:_TASKS]:
        line = f"*{escape(task.name)}* {_line(task, about)}"
        log = f" ({link('log', task.link)})" if task.link and len(tasks) > 1 else ""
        if lines and sum(map(len, lines)) + len(line) + len(log) > _ROOM:
            break
        lines.append(f"{line}{log}" if len(line) + len(log) <= _ROOM else line)
    left = len(tasks) - len(lines)
    return [*lines, f"… and {left} more"] if left else lines


def _line(task: FailedTask, about: About) -> str:
    """The error without what it quotes at length: that may be a document's text."""
    line = _QUOTES.sub(_shortened, " ".join(scrub(task.line, about.folders).split()))
    return cut(escape(line), _LINE)


def _shortened(found: re.Match[str]) -> str:
    mark, text = found.groups()
    return found[0] if len(text) <= _QUOTED else f"{mark}…{mark}"


def _and(names: Sequence[str]) -> str:
    shown = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
