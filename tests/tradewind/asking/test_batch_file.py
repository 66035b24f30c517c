"""A batch's files: divided at the API's bounds, and lines of every kind read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tradewind.asking import batch_file
from tradewind.asking.batch_file import Outcome, divided, read_line
from tradewind.asking.server import Completion
from tradewind.asking.usage import Usage

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def test_batches_keep_to_the_bound_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_file, "MOST_REQUESTS", 3)
    parts = list(divided((str(number), {"model": "m"}) for number in range(7)))
    assert [list(part) for part in parts] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_batches_keep_to_the_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [(str(number), {"text": "é\u2028" * 50}) for number in range(6)]
    (whole,) = divided(bodies)
    line = len(whole["0"])
    monkeypatch.setattr(batch_file, "MOST_BYTES", 2 * line)
    assert [sum(map(len, part.values())) for part in divided(bodies)] == [2 * line] * 3
    assert all(len(text.splitlines()) == 1 for text in (row.decode() for row in whole.values()))
    assert json.loads(whole["5"])["body"] == bodies[5][1]


def test_nothing_to_ask_is_no_batch() -> None:
    assert not list(divided([]))


def _line(**response: Any) -> bytes:
    return json.dumps({"custom_id": "key", "response": response or None, "error": None}).encode()


def _body(**message: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (
            _line(status_code=200, body=_body(content="yes")),
            Outcome("key", Usage(1, 7, 5), Completion("yes", Usage(1, 7, 5), "m", cut_off=False)),
        ),
        (_line(status_code=200, body=_body(refusal="no")), Outcome("key", Usage(1, 7, 5))),
        (_line(status_code=200, body=_body(content="half \ud800")), Outcome("key", Usage(1, 7, 5))),
        (_line(status_code=200, body=_body(content="yes") | {"usage": None, "choices": []}), Outcome("key", None)),
        (_line(status_code=200, body="a page"), Outcome("key", None)),
        (_line(status_code=200), Outcome("key", None)),
        (_line(status_code=500, body={"error": {}}), Outcome("key", Usage(1))),
        (_line(), Outcome("key", Usage(1))),
    ],
)
def test_what_a_line_tells(line: bytes, outcome: Outcome) -> None:
    assert read_line(line) == outcome


@pytest.mark.parametrize("line", [b'{"custom_id": "k', b"\xff\xfe{", b"[]", b'{"response": null}'])
def test_a_line_that_tells_of_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_line(line)
