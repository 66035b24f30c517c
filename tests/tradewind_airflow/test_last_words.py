"""The reason of a stage's end, out of what it said last."""

from __future__ import annotations

import pytest

from tradewind_airflow.last_words import own_words


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["INFO prepare: start", "tradewind: data: no such folder; name one"], "data: no such folder; name one"),
        (["tradewind: first", "tradewind: second", "Exception ignored in: <function>"], "second"),
        (["Traceback (most recent call last):", "ValueError: wrong"], "ValueError: wrong"),
        (["INFO tradewind: in a line is not the command's own", "last"], "last"),
        ([], "no output"),
        (("tradewind: also of a tuple",), "also of a tuple"),
    ],
)
def test_the_commands_own_line_else_its_last(lines: list[str], words: str) -> None:
    assert own_words(lines) == words
