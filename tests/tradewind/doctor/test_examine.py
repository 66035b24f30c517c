"""All checks come to an end, whatever one of them does, and none tells a secret."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tradewind.doctor.check import Check, Finding, Outcome, ok
from tradewind.doctor.child import ChildFailedError, told_by
from tradewind.doctor.examine import examine, fails
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.recipes import resolve

SUBJECT = Subject(resolve("tiny", "embedded:en"))


def _refuse(_: Subject) -> Finding:
    raise UserError("file: is wrong; mend it")


def _break(_: Subject) -> Finding:
    raise ZeroDivisionError(f"with {os.environ['MY_SECRET_KEY']} in it\nand a second line")


def test_what_hangs_or_breaks_leaves_the_others_their_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_KEY", "sk-very-secret")
    never = threading.Event()
    checks = [
        Check("hangs", lambda _: ok(str(never.wait())), 0.2),
        Check("refuses", _refuse),
        Check("breaks", _break),
        Check("works", lambda _: ok("fine")),
    ]
    began = time.monotonic()
    found = examine(SUBJECT, checks)
    assert time.monotonic() - began < 10
    assert list(found) == ["hangs", "refuses", "breaks", "works"]
    assert found["hangs"].found == "no answer within 0 s"
    assert (found["refuses"].found, found["refuses"].to_do) == ("file: is wrong", "mend it")
    assert found["breaks"].found == "ZeroDivisionError: with [secret] in it and a second line"
    assert found["works"].outcome is Outcome.OK
    assert fails(found)
    assert not fails({"works": found["works"]})


def test_a_login_in_an_address_is_not_shown() -> None:
    found = examine(SUBJECT, [Check("asks", lambda _: ok("https://me:marker@hub.example.com/x answers"))])
    assert found["asks"].found == "https://[secret]@hub.example.com/x answers"


def test_what_only_the_image_holds_is_not_needed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: Subject) -> Finding:
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401

        return ok("it is here")

    monkeypatch.delenv("TRADEWIND_IMAGE", raising=False)
    here = examine(SUBJECT, [Check("imports", look)])["imports"]
    assert (here.outcome, here.found) == (Outcome.FAILURE, "no_such_library is not installed")
    monkeypatch.setenv("TRADEWIND_IMAGE", "some-image")
    assert examine(SUBJECT, [Check("imports", look)])["imports"].outcome is Outcome.NOT_NEEDED


def test_a_process_that_crashes_hangs_or_raises_is_told_in_a_line() -> None:
    assert told_by("print('chatter'); print('{\"a\": 1}')", 20) == {"a": 1}
    for program, words in (
        ("import os; os.abort()", "crashed by SIGABRT"),
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("print('no JSON')", "exit code 0 without a word"),
    ):
        with pytest.raises(ChildFailedError, match=words):
            told_by(program, 1.0 if "sleep" in program else 20.0)
