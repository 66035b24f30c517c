"""`tradewind compare RUN RUN`: the report's statistics for any two runs, or one line why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documents import Cli, complaint
from evaluated_run import Rows, evaluated_run, rows_of, scored
from tradewind.compare_runs import compare_runs
from tradewind.config import EvaluateConfig, RunConfig
from tradewind.errors import UserError
from tradewind.judging.record import JudgeRecord

Run = Callable[..., Path]
JUDGE = JudgeRecord(model="judge-1", prompt_sha256={"en": "a" * 64}, samples=1)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write the folder of an evaluated run."""
    return lambda name, rows, record=None, **changes: evaluated_run(tmp_path / name, rows, record, **changes)


def test_it_gives_the_figures_that_a_report_gives_of_the_champion(run: Run) -> None:
    first, second = rows_of(1), rows_of(2)
    for champion, row in zip(first, second, strict=True):
        row["answers"]["champion"] = champion["answers"]["tuned"]
        row["hit_token_limit"]["champion"] = False
        for metric, values in row["scores"].items():
            values["champion"] = champion["scores"][metric]["tuned"]
    reported = scored(second)
    found = compare_runs(run("a", first), run("b", second), "tuned")
    for group, other in zip(found.groups, reported.groups, strict=True):
        for metric, theirs in zip(group.metrics, other.metrics, strict=True):
            expected = theirs.comparisons["champion"]
            means = {"base": expected.means["champion"], "tuned": expected.means["tuned"]}
            assert metric.comparisons["base"] == expected.model_copy(update={"means": means})


def test_the_runs_order_changes_signs_only_and_that_of_lines_nothing(run: Run) -> None:
    first, second = run("a", rows_of(1)), run("b", rows_of(2))
    forth, back = compare_runs(first, second, "tuned"), compare_runs(second, first, "tuned")
    assert compare_runs(first, run("c", rows_of(2)[::-1]), "tuned") == forth
    for group, other in zip(forth.groups, back.groups, strict=True):
        for metric, theirs in zip(group.metrics, other.metrics, strict=True):
            one, two = metric.comparisons["base"], theirs.comparisons["base"]
            assert (one.difference, one.low, one.high) == (-two.difference, -two.high, -two.low)
            assert (one.p, one.p_holm, one.wins, one.ties) == (two.p, two.p_holm, two.losses, two.ties)


def _at_its_floor(seed: int, tuned: float, floor: float | None) -> Rows:
    rows = rows_of(seed)
    noise = np.random.default_rng(seed).normal(0.0, 0.02, len(rows))
    for row, moved in zip(rows, noise, strict=True):
        row["scores"] = {"semscore": {"base": 0.2, "tuned": round(tuned + moved, 6)}}
        if floor is not None:
            row["floors"] = {"semscore": {"base": 0.1, "tuned": floor}}
    return rows


def test_a_gain_that_is_not_above_its_floor_is_none_here_either(run: Run) -> None:
    first = run("a", _at_its_floor(1, 0.25, 0.1))
    found = compare_runs(first, run("b", _at_its_floor(2, 0.45, 0.48)), "tuned")
    assert found.verdict == "no difference shown"
    assert "not above its floor (-0.0" in found.verdict_reason
    assert found.groups[0].metrics[0].floor == pytest.approx({"base": 0.1, "tuned": 0.48})
    assert compare_runs(first, run("c", _at_its_floor(2, 0.45, 0.3)), "tuned").verdict == "better"


def test_where_an_older_run_kept_no_floors_the_verdict_says_that_they_were_not_checked(run: Run) -> None:
    new, old = run("new", _at_its_floor(1, 0.25, 0.1)), run("old", _at_its_floor(2, 0.45, None))
    found = compare_runs(new, old, "tuned")
    assert found.verdict == "better"
    assert found.verdict_reason.endswith("; floors were not checked: the second run has none in its predictions.jsonl")
    assert "not checked" not in compare_runs(old, new, "tuned").verdict_reason


def test_answers_cut_at_different_lengths_are_refused(run: Run) -> None:
    first, second = run("a", rows_of(1)), run("b", rows_of(2))
    short = RunConfig(recipe="r", data_dir="d", evaluate=EvaluateConfig(max_new_tokens=64))
    (second / "config.json").write_text(short.model_dump_json(), encoding="utf-8")
    with pytest.raises(UserError, match=r"the runs' evaluate.max_new_tokens differs: 256 in .*, 64 in "):
        compare_runs(first, second, "tuned")


def test_a_run_does_not_differ_from_itself(run: Run) -> None:
    same = run("a", rows_of(1))
    for group in compare_runs(same, same, "tuned").groups:
        for metric in group.metrics:
            found = metric.comparisons["base"]
            assert (found.difference, found.low, found.high, found.p, found.ties) == (0.0, 0.0, 0.0, 1.0, 40)


def test_the_command_prints_the_table_with_both_runs(run: Run, cli: Cli) -> None:
    first, second = run("a", rows_of(1)), run("b", rows_of(2))
    done = cli("compare", str(first), str(second))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"first:  {first}", f"second: {second}"]
    assert "second - first [95 %]" in lines[4]
    assert [line.split()[0] for line in lines[6:10]] == ["reworded", "reworded", "read", "read"]
    assert "4 comparisons with first" in lines[-3]
    assert lines[-1].startswith("no difference shown, where base is the first and tuned the second: ")
    assert cli("compare", str(first), str(second)).stdout == done.stdout


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"encoder": "another"}, "the runs' encoder differs: sentence-transformers/all-mpnet-base-v2 in "),
        ({"encoder_revision": "2.0"}, "the runs' encoder's revision differs: 1.0 in "),
        ({"record": None}, "the runs' judge differs: judge-1 in "),
        ({"record": JUDGE.model_copy(update={"model": "judge-2"})}, "the runs' judge differs: judge-1 in "),
        ({"record": JUDGE.model_copy(update={"prompt_sha256": {"en": "b" * 64}})}, "the runs' judge's prompt differs"),
        ({"record": JUDGE.model_copy(update={"temperature": 0.0})}, "the runs' judge's temperature differs: not"),
        ({"record": JUDGE.model_copy(update={"samples": 3})}, "the runs' judge's samples differs: 1 in "),
    ],
    ids=["encoder", "revision", "no judge", "another judge", "another prompt", "temperature", "samples"],
)  # fmt: skip
def test_scores_of_different_encoders_or_judges_are_refused(run: Run, changes: dict[str, Any], why: str) -> None:
    first, second = run("a", rows_of(1), JUDGE), run("b", rows_of(2), **{"record": JUDGE} | changes)
    with pytest.raises(UserError, match=why) as told:
        compare_runs(first, second, "tuned")
    assert "\n" not in str(told.value)
    assert str(first) in str(told.value)
    assert str(second) in str(told.value)


def _fewer(rows: Rows) -> None:
    rows.pop()


def _other_id(rows: Rows) -> None:
    rows[0]["id"] = "new"


def _other_reference(rows: Rows) -> None:
    rows[3]["answer"] = "another"


def _other_wording(rows: Rows) -> None:
    rows[3]["question"] = "another?"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_fewer, "1 of 80 in .* and 0 of 79 in"),
        (_other_id, "1 of 80 in .* and 1 of 80 in"),
        (_other_reference, "i3 has another 'answer'"),
        (_other_wording, "i3 has another 'question'"),
    ],
)
def test_other_questions_are_refused(run: Run, change: Callable[[Rows], None], why: str) -> None:
    rows = rows_of(2)
    change(rows)
    with pytest.raises(UserError, match=why):
        compare_runs(run("a", rows_of(1)), run("b", rows), "tuned")


def test_a_refusal_is_one_line_and_not_success(run: Run, cli: Cli) -> None:
    done = cli("compare", str(run("a", rows_of(1))), str(run("b", rows_of(2), encoder="another")))
    assert done.returncode == 2
    assert "encoder differs" in complaint(done)
    assert done.stdout == ""


def test_a_folder_that_is_no_evaluated_run_and_a_model_that_did_not_answer_are_told(run: Run, tmp_path: Path) -> None:
    first = run("a", rows_of(1))
    with pytest.raises(UserError, match=r"nowhere/evaluate/predictions.jsonl: no such file"):
        compare_runs(first, tmp_path / "nowhere", "tuned")
    with pytest.raises(UserError, match=r"--model champion: .* has no answers of it; it has base, tuned"):
        compare_runs(first, first, "champion")
    old = run("old", rows_of(1))
    (old / "evaluate" / "scores.json").write_text(json.dumps({"models": ["base"]}), encoding="utf-8")
    with pytest.raises(UserError, match="run the stage 'evaluate' again"):
        compare_runs(first, old, "tuned")
