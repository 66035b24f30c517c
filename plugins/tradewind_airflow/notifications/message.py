"""A message in Block Kit, within Slack's limits, and the same as plain text for the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind_airflow.notifications.scrub import scrub

# https://docs.slack.dev/reference/block-kit/blocks: header 150 characters, section text 3000, button url 3000.
HEADER, SECTION, URL, BUTTON = 150, 3000, 3000, 75
# https://docs.slack.dev/reference/block-kit/blocks/table-block: 100 rows; 10,000 characters in all cells together.
_ROWS, _CELL = 100, 30
Block = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of few and narrow columns, since many read it on a phone."""

    rows: tuple[tuple[str, ...], ...]
    """The first holds the columns' names."""
    code: str
    """The same for a code block, where Slack refuses tables."""

    def block(self) -> Block:
        """Slack's own table: every cell wraps, all columns but the first are numbers."""
        right = [{"is_wrapped": True, "align": "right"}] * (len(self.rows[0]) - 1)
        return {
            "type": "table",
            "column_settings": [{"is_wrapped": True}, *right],
            "rows": [
                [{"type": "raw_text", "text": cut(scrub(cell), _CELL * 2) or "-"} for cell in row]
                for row in self.rows[:_ROWS]
            ],
        }


@dataclass(frozen=True)
class Message:
    """What goes out."""

    text: str
    """One line: what a phone's lock screen shows."""
    blocks: tuple[Block, ...]
    table: Table | None = None

    def with_code(self) -> tuple[Block, ...]:
        """The blocks with the table as a code block, above the buttons."""
        if self.table is None:
            return self.blocks
        code = section(f"```{said(self.table.code, SECTION - 300)}```")
        at = len(self.blocks) - (self.blocks[-1]["type"] == "actions")
        return (*self.blocks[:at], code, *self.blocks[at:])

    def as_text(self) -> str:
        """Every line that a reader sees but the table's; for the log."""
        return "\n".join(plain(line) for block in self.blocks for line in _lines(block))


def message(text: str, *blocks: Block | None, table: Table | None = None) -> Message:
    """A message of the blocks that there are."""
    return Message(said(text, SECTION), tuple(block for block in blocks if block is not None), table)


def header(text: str) -> Block:
    """A title; plain text, in which Slack knows no markup but emoji."""
    return {"type": "header", "text": {"type": "plain_text", "text": cut(scrub(text), HEADER), "emoji": True}}


def section(text: str) -> Block:
    """A paragraph of markup: whatever a document, a model or an error says in it went through `said`."""
    return {"type": "section", "text": _markup(text)}


def context(*texts: str | None) -> Block | None:
    """Small print, the parts apart; None where there are none."""
    found = " | ".join(filter(None, texts))
    return {"type": "context", "elements": [_markup(found)]} if found else None


def _markup(text: str) -> dict[str, Any]:
    """Read as it stands: `verbatim` keeps Slack from making mentions and links of `@here`, `#general` and addresses."""
    return {"type": "mrkdwn", "text": cut(text, SECTION), "verbatim": True}


def buttons(*labelled: tuple[str, str | None]) -> Block | None:
    """A button for each label that has an address; the first is the one to press."""
    found = [
        {"type": "button", "text": {"type": "plain_text", "text": cut(label, BUTTON)}, "url": url}
        for label, url in labelled
        if url and len(url) <= URL
    ]
    return {"type": "actions", "elements": found} if found else None


def link(label: str, url: str | None) -> str:
    """A word to press, or the word alone."""
    return f"<{url}|{said(label)}>" if url and len(url) <= URL else said(label)


def bullets(texts: Sequence[str], most: int, limit: int) -> str:
    """So many of them, each `said`, and how many are left out."""
    rest = [f"… and {len(texts) - most} more"] if len(texts) > most else []
    return "\n".join([*(f"• {said(text, limit)}" for text in texts[:most]), *rest])


def said(text: str, limit: int = SECTION) -> str:
    """What somebody else wrote, fit to stand in markup."""
    return cut(escape(scrub(text)), limit)


def escape(text: str) -> str:
    """Slack's three control characters; without this a document could mention a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something was lost; no half of an `&amp;`."""
    return text if len(text) <= limit else re.sub(r"&[a-z]*$", "", text[: limit - 1]) + "…"


def plain(markup: str) -> str:
    """Markup as its reader sees it."""
    text = re.sub(r"<([^|>]*)\|([^>]*)>", r"\2", markup)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _lines(block: Block) -> Iterator[str]:
    if block["type"] == "actions":
        yield from (f"[{element['text']['text']}] {element['url']}" for element in block["elements"])
    elif block["type"] == "context":
        yield from (element["text"] for element in block["elements"])
    else:
        yield from block["text"]["text"].splitlines()
