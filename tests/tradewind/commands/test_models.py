"""`tradewind models`: what it shows, moves and refuses, in a process of its own."""

from __future__ import annotations

import shutil

import pytest

from documents import Cli, complaint
from finished_run import Night
from tradewind.registry.store import Registry


def test_list_shows_every_version_the_champion_and_its_history(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    night()
    night(gain=0.0)
    shown = cli("models", "list", registry.path)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["v1", "predecessor"], ["v2", "champion"], lines[2].split()[:2]]
    assert ["gate: let through" in line for line in lines[:3]] == [True, True, False]
    assert [line.split(maxsplit=1)[1].split(" by ")[0] for line in lines[3:]] == [
        "promote none -> v1", "promote v1 -> v2",
    ]  # fmt: skip


def test_show_tells_where_the_champion_is_and_why(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    night(gain=0.0)
    shown = cli("models", "show", registry.path).stdout
    assert f"model: {registry.path}/versions/v1/model" in shown
    assert "14 of 30 weight tensors differ" in shown
    assert (
        "gate: refused over v1\n  SemScore on reworded questions" in cli("models", "show", registry.path, "v2").stdout
    )


def test_rollback_is_one_command_and_its_own_way_back_is_promote(registry: Registry, night: Night, cli: Cli) -> None:
    for _ in range(3):
        night()
    done = cli("models", "rollback", registry.path, "--why", "it swears")
    assert (done.returncode, done.stdout) == (0, "champion: v2 (before: v3)\n")
    last = registry.history()[-1]
    assert (last.action, last.before, last.after, last.why) == ("rollback", "v3", "v2", ("it swears",))
    assert last.who
    # A second one goes on to the one before, not forth to the bad one.
    assert cli("models", "rollback", registry.path).stdout == "champion: v1 (before: v2)\n"
    assert complaint(cli("models", "rollback", registry.path)).endswith(
        "no champion before this one; name a version with --to"
    )
    assert cli("models", "promote", registry.path, "v3").stdout == "champion: v3 (before: v1)\n"
    assert cli("models", "rollback", registry.path, "--to", "v2").stdout == "champion: v2 (before: v3)\n"


@pytest.mark.parametrize("fault", ["changed", "missing", "added"])
def test_a_damaged_version_is_not_rolled_back_to(registry: Registry, night: Night, cli: Cli, fault: str) -> None:
    first = night().version
    night()
    file = first.model / ("added.bin" if fault == "added" else "model.safetensors")
    file.unlink(missing_ok=True)
    if fault != "missing":
        file.write_text("weights of night 7")
    refused = cli("models", "rollback", registry.path)
    assert refused.returncode == 2
    told = {"changed": "has changed since it was registered", "missing": "is missing", "added": "was not there when v1"}
    assert complaint(refused).startswith(f"{file}: {told[fault]}")
    assert registry.champion_name() == "v2"
    assert len(registry.history()) == 2


def test_a_rollback_to_what_retention_removed_names_what_is_left(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    night()
    shutil.rmtree(registry.path / "versions" / "v1")
    assert complaint(cli("models", "rollback", registry.path)) == (
        f"{registry.path}: v1 is gone (registry.keep); name another with --to: v2"
    )


def test_a_refused_version_is_promoted_by_force_only(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    night(gain=0.0)
    refused = cli("models", "promote", registry.path, "v2")
    assert refused.returncode == 2
    assert "v2: the gate refused it: SemScore on reworded" in complaint(refused)
    assert registry.champion_name() == "v1"
    assert cli("models", "promote", registry.path, "v2", "--force").stdout == "champion: v2 (before: v1)\n"
    assert complaint(cli("models", "promote", registry.path, "v2", "--force")).endswith("v2 is the champion already")


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\n"])
def test_a_reason_may_hold_any_line_separator(registry: Registry, night: Night, cli: Cli, mark: str) -> None:
    night()
    night()
    assert cli("models", "rollback", registry.path, "--why", f"one{mark}two").returncode == 0
    assert registry.history()[-1].why == (f"one{mark}two",)
    assert cli("models", "promote", registry.path, "v2").returncode == 0
    assert len(registry.history()) == 4


def test_bad_input_is_told_in_one_line(registry: Registry, night: Night, cli: Cli) -> None:
    night(gain=0.0)
    absent = registry.path.with_name("absent")
    told = "holds no registered model; name $TRADEWIND_HOME/models/DAG_ID"
    for action in (("list",), ("show",), ("rollback",)):
        refused = cli("models", *action, absent)
        assert (refused.returncode, complaint(refused)) == (2, f"{absent}: {told}")
    assert not absent.exists()
    assert complaint(cli("models", "show", registry.path)).endswith("there is no champion; name a version: v1")
    for name in ("v9", "../../v1", "", ".new-1"):
        assert complaint(cli("models", "promote", registry.path, name)).endswith(f"no version '{name}'; there are v1")


def test_a_pointer_that_leads_nowhere_is_told_and_can_be_mended(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    registry.pointer.unlink()
    registry.pointer.symlink_to("versions/v9")
    assert "no version 'v9'; there are v1" in complaint(cli("models", "show", registry.path))
    assert cli("models", "promote", registry.path, "v1").returncode == 0
    registry.pointer.unlink()
    registry.pointer.symlink_to("../elsewhere/v1")
    foreign = f"{registry.pointer}: leads to ../elsewhere/v1, which is no version; remove it and promote one again"
    assert complaint(cli("models", "promote", registry.path, "v1")) == foreign
    registry.pointer.unlink()
    assert cli("models", "promote", registry.path, "v1").returncode == 0
    assert registry.champion_name() == "v1"


def test_a_damaged_record_or_history_is_told_with_its_place(registry: Registry, night: Night, cli: Cli) -> None:
    night()
    registry.history_file.write_text(registry.history_file.read_text() + "{}\n")
    assert complaint(cli("models", "list", registry.path)).startswith(f"{registry.history_file}:2: Field required")
    registry.history_file.unlink()
    record = registry.version("v1").path / "version.json"
    record.write_text("{")
    assert complaint(cli("models", "list", registry.path)).startswith(f"{record}: Invalid JSON")
