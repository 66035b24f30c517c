"""What the environment says of messages; an operator's argument goes before it."""

from __future__ import annotations

import logging
import os
import re

MENTION_VARIABLE = "TRADEWIND_SLACK_MENTION"
EXAMPLES_VARIABLE = "TRADEWIND_SLACK_EXAMPLES"
DEADLINE_VARIABLE = "TRADEWIND_DEADLINE_HOURS"
_ONE = r"(?:<@[UW][A-Z0-9]+>|<!(?:here|channel|everyone)>|<!subteam\^S[A-Z0-9]+>)"
_MENTION = re.compile(rf"{_ONE}(?: {_ONE})*")
log = logging.getLogger(__name__)


def check_mention(mention: str) -> str:
    """ValueError where Slack would not understand it."""
    if not _MENTION.fullmatch(mention):
        raise ValueError(
            f"mention {mention!r}: give Slack's own form, such as <@U012AB3CD>, <!here> or <!subteam^S012AB3CD>"
        )
    return mention


def mention_of(stated: str | None) -> str | None:
    """Whom a failure calls. A wrong setting calls nobody and is told in the log: the failure must go out."""
    found = stated if stated is not None else os.environ.get(MENTION_VARIABLE, "").strip()
    try:
        return check_mention(found) if found else None
    except ValueError as error:
        log.warning("%s: %s", MENTION_VARIABLE, error)
        return None


def examples_wanted(stated: bool | None) -> bool:
    """Whether answers of the models may be shown: they quote the documents."""
    off = os.environ.get(EXAMPLES_VARIABLE, "1").strip().lower() in ("0", "false", "no", "off")
    return not off if stated is None else stated


def deadline_hours() -> float | None:
    """After how long a run is late; None: never. ValueError where that is no number of hours."""
    stated = os.environ.get(DEADLINE_VARIABLE, "").strip()
    try:
        hours = float(stated) if stated else None
    except ValueError:
        hours = 0.0
    if hours is not None and not 0 < hours < 10_000:
        raise ValueError(f"{DEADLINE_VARIABLE}: {stated!r} is not a number of hours, such as 6 or 0.5")
    return hours
