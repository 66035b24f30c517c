"""Who may stop a task's container, and how far its log was passed on: both outlive the tries that said so."""

from __future__ import annotations

import signal
from pathlib import Path
from subprocess import Popen

import pytest

from processes import DEADLINE, line, python
from tradewind_airflow.containers.claim import Claim
from tries import wait_for

ONE, TWO = "1" * 64, "2" * 64
EARLIER, LATER = "2026-11-20T02:00:00.100000000Z", "2026-11-20T02:00:07.123456789Z"

# Another try: takes or holds the claim, and lives until the test closes its standard input.
TRY = """
import sys
from pathlib import Path
from tradewind_airflow.containers.claim import Claim
claim = Claim(Path(sys.argv[1]), "prepare", sys.argv[2])
if sys.argv[3] == "take":
    claim.take()
    print("done", flush=True)
    sys.stdin.read()
else:
    with claim.held() as ours:
        print(ours, flush=True)
        sys.stdin.read()
"""


def _is_owner(claim: Claim) -> bool:
    with claim.held() as ours:
        return ours


def _waits_for_a_lock(process: Popen[str]) -> bool:
    """Whether the kernel lists the process among those that a lock keeps waiting."""
    waiting = [entry.split() for entry in Path("/proc/locks").read_text(encoding="ascii").splitlines() if "->" in entry]
    return str(process.pid) in {entry[5] for entry in waiting}


def test_nobody_holds_what_nobody_took(tmp_path: Path) -> None:
    assert not _is_owner(Claim(tmp_path, "prepare", "first"))


def test_the_last_to_take_it_is_the_owner(tmp_path: Path) -> None:
    first, second = Claim(tmp_path, "prepare", "a-longer-name"), Claim(tmp_path, "prepare", "short")
    first.take()
    assert (_is_owner(first), _is_owner(second)) == (True, False)
    second.take()
    assert (_is_owner(first), _is_owner(second)) == (False, True)
    second.take()
    assert _is_owner(second)
    first.take()
    assert (_is_owner(first), _is_owner(second)) == (True, False)


def test_tasks_do_not_share_a_claim_or_a_position(tmp_path: Path) -> None:
    prepare, adapt = Claim(tmp_path, "prepare", "first"), Claim(tmp_path, "adapt", "first")
    prepare.take()
    prepare.advance(ONE, LATER)
    assert (_is_owner(adapt), adapt.position(ONE)) == (False, "")


def test_another_process_knows_the_owner(tmp_path: Path) -> None:
    Claim(tmp_path, "prepare", "first").take()
    for owner, told in (("first", "True"), ("second", "False")):
        with python(TRY, tmp_path, owner, "hold") as process:
            assert line(process.stdout) == told


def test_nobody_takes_it_over_while_the_owner_acts(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "prepare", "first")
    claim.take()
    with python(TRY, tmp_path, "second", "take") as taker:
        with claim.held() as ours:
            assert ours
            wait_for(lambda: _waits_for_a_lock(taker), "the taker waits")
            assert (tmp_path / ".prepare.claim").read_text() == "first"
        assert line(taker.stdout) == "done"
    assert not _is_owner(claim)


def test_a_try_that_is_killed_while_it_acts_keeps_nobody_waiting(tmp_path: Path) -> None:
    with python(TRY, tmp_path, "first", "hold") as holder:
        assert line(holder.stdout) == "False"
        with python(TRY, tmp_path, "second", "take") as taker:
            wait_for(lambda: _waits_for_a_lock(taker), "the taker waits")
            holder.kill()
            assert line(taker.stdout) == "done"


def test_a_claim_outlives_the_try_that_was_killed_with_it(tmp_path: Path) -> None:
    with python(TRY, tmp_path, "first", "take") as process:
        assert line(process.stdout) == "done"
        process.kill()
        assert process.wait(DEADLINE) == -signal.SIGKILL
    assert _is_owner(Claim(tmp_path, "prepare", "first"))


def test_a_block_that_ends_by_an_error_keeps_nobody_waiting(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "prepare", "first")
    claim.take()
    with pytest.raises(ZeroDivisionError), claim.held():
        raise ZeroDivisionError
    assert _is_owner(claim)


def test_the_position_is_the_last_line_of_that_container(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "prepare", "first")
    assert claim.position(ONE) == ""
    claim.advance(ONE, EARLIER)
    claim.advance(ONE, LATER)
    assert claim.position(ONE) == LATER
    assert claim.position(TWO) == ""
    claim.advance(TWO, EARLIER)
    assert (claim.position(TWO), claim.position(ONE)) == (EARLIER, "")


def test_another_try_goes_on_from_the_position(tmp_path: Path) -> None:
    Claim(tmp_path, "prepare", "first").advance(ONE, LATER)
    second = Claim(tmp_path, "prepare", "second")
    second.take()
    assert second.position(ONE) == LATER
