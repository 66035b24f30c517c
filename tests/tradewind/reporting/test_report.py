"""The report's three forms, from scores with everything in them that can go wrong on a page."""

from __future__ import annotations

from typing import Any

import pytest

from champion import with_champion
from tradewind.judging.record import JudgeRecord
from tradewind.reporting.contract import Example, Report, StageSummary
from tradewind.reporting.examples import best_and_worst
from tradewind.reporting.plots import distributions
from tradewind.reporting.render import html, markdown
from tradewind.reporting.table import score_rows, text_table
from tradewind.results import PeakMemory
from tradewind.scores import Comparison, GroupScore, MetricScore, Scores, SourceScore

HOSTILE = "<script>alert('x')</script> {{ 7*7 }} & <!channel>"


def _metric(name: str, *, usable: bool = True) -> MetricScore:
    return MetricScore(
        metric=name,
        mean={"base": 0.31, "adapted": 0.4, "tuned": 0.75},
        floor={"tuned": 0.2, "reference": 0.21 if usable else 0.8},
        scored=9,
        unscored=1,
        comparisons={
            "base": Comparison(
                difference=0.44,
                low=0.3,
                high=0.58,
                confidence_level=0.9,
                p=0.0004,
                p_holm=0.0016,
                wins=7,
                ties=1,
                losses=1,
                n=9,
            )
        },
        usable=usable,
        note=None if usable else "the encoder cannot judge this language (ko)",
    )


@pytest.fixture
def report() -> Report:
    groups = (
        GroupScore(
            kind="reworded", language="en", n=10, records=7, headline="semscore",
            metrics=(_metric("chrf"), _metric("semscore")),
        ),
        GroupScore(
            kind="read", language="ko", n=10, records=7, headline="chrf",
            metrics=(_metric("semscore", usable=False), _metric("chrf")),
        ),
    )  # fmt: skip
    scores = Scores(
        models=("base", "adapted", "tuned"), groups=groups, encoder="embedded:all-MiniLM-L6-v2",
        encoder_max_length=256, encoder_truncated=0.01, hit_token_limit={"base": 0.5, "adapted": 0.1, "tuned": 0.0},
        judge="no judge is configured", verdict="better", verdict_reason="tuned is above base",
    )  # fmt: skip
    return Report(
        run="manual-1", recipe="tiny", model="embedded:tiny-gemma2", data="docs", seed=42,
        finished_at="2026-11-21T00:00:00+00:00", scores=scores,
        stages=(
            StageSummary(
                stage="finetune", status="success", reason=None, seconds=12.5, resumed_from_step=50, metrics={}
            ),
        ),
        warnings=(HOSTILE,),
        best=(
            Example(
                kind="reworded", language="en", question=HOSTILE, reference="r", metric="semscore",
                answers={"base": "", "adapted": "a", "tuned": HOSTILE}, score={"base": 0.0, "adapted": 0.1, "tuned": 1},
                difference=1.0, grades={"base": 1.0, "tuned": 4.5}, reasoning={"tuned": f"It says so. {HOSTILE}"},
            ),
        ),
        worst=(),
        versions={"torch": "2.13.0"},
    )  # fmt: skip


@pytest.fixture
def predictions() -> list[dict[str, Any]]:
    rows = []
    for kind, language in (("reworded", "en"), ("read", "ko")):
        for value in (0.1, 0.5, None, 0.9):
            score = dict.fromkeys(("base", "adapted", "tuned", "champion"), value)
            rows.append({"kind": kind, "language": language, "scores": {"semscore": score, "chrf": score}})
    return rows


CURVES = {"adapt": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], "finetune": [{"step": 1, "loss": 0.5}]}


def test_the_headline_metric_of_a_group_stands_first_and_a_blind_one_is_marked(report: Report) -> None:
    rows = score_rows(report.scores)
    assert [(row.kind, row.metric, row.headline) for row in rows] == [
        ("reworded", "SemScore", True),
        ("reworded", "chrF", False),
        ("read", "chrF", True),
        ("read", "SemScore (blind)", False),
    ]
    (base,) = rows[0].against
    assert base.cells() == ("+0.440 [+0.300, +0.580]", "<0.001", "0.002", "7/1/1")
    assert rows[0].n == "9 (1 unscored)"


def test_the_text_table_is_aligned_and_names_the_intervals_level(report: Report) -> None:
    lines = text_table(report.scores).splitlines()
    assert "[90 %]" in lines[0]
    assert len({line.find("0.310") for line in lines if "0.310" in line}) == 1


def test_the_page_is_one_file_with_three_plots_and_escapes_what_documents_say(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    page = html(report, predictions, CURVES)
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "{{ 7*7 }}" in page
    assert "49" not in page.split("<h2>Items")[1].split("<h2>Training")[0]
    for outside in ('src="http', 'href="http', "@import"):
        assert outside not in page
    assert "resumed from step 50" in page
    assert "cannot judge this language" in page


def test_the_table_of_stages_tells_what_was_made_cached_skipped_or_turned_off(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    common: dict[str, Any] = {"seconds": 1.0, "resumed_from_step": None, "metrics": {}}
    stood_in = "skipped on request; the result of run night-1 stands in for it"
    stages = (
        StageSummary(stage="prepare", status="cached", reason=None, source_run="night-2", **common),
        StageSummary(stage="adapt", status="skipped", reason="adapt.enabled is false in the recipe", **common),
        StageSummary(stage="finetune", status="skipped", reason=stood_in, source_run="night-1", **common),
        StageSummary(
            stage="evaluate", status="success", reason=None, peak_memory_bytes=PeakMemory(host=3 << 30), **common
        ),
    )
    told = report.model_copy(update={"stages": stages})
    expected = [
        ("prepare", "cached (from run night-2)", "", ""),
        ("adapt", "skipped", "", "adapt.enabled is false in the recipe"),
        ("finetune", "skipped", "", stood_in),
        ("evaluate", "made", "3,072 MiB", ""),
    ]
    lines = markdown(told).splitlines()
    page = html(told, predictions, CURVES)
    for stage, outcome, memory, reason in expected:
        assert f"| {stage} | {outcome} | 1.0 | {memory} | {reason} |" in lines
        numbers = f'<td class="number">1.0</td><td class="number">{memory}</td>'
        assert f'<td>{stage}</td><td>{outcome}</td>{numbers}<td class="soft">{reason}</td>' in page


def test_the_page_has_no_judge_and_no_champion_where_there_are_none(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    page = html(report, predictions, CURVES)
    assert "no judge is configured" in page
    assert "kappa" not in page
    assert "champion" not in page


def test_the_judges_grades_are_drawn_beside_its_record_and_its_reasoning_is_folded(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    record = JudgeRecord(
        model="judge-1", prompt_sha256={"en": "ab" * 32}, samples=3, unscored={"base": 2, "tuned": 0},
        anchors_kappa=0.857, anchors_n=24, drift="kappa fell", addressed={"base": 1, "tuned": 0},
    )  # fmt: skip
    changes = {"grades": {"base": (91, 2, 3, 4, 5), "tuned": (1, 2, 3, 4, 95)}, "judge_record": record}
    page = html(report.model_copy(update={"scores": report.scores.model_copy(update=changes)}), predictions, CURVES)
    assert page.count("<svg") == 4
    assert ">91<" in page
    assert ">95<" in page
    for said in (
        "Judge judge-1, 3 samples",
        "en abababababab",
        "kappa 0.86 on 24",
        "base 2, tuned 0",
        "base 1, tuned 0",
        "kappa fell",
    ):
        assert said in page
    folded = page.split("<details><summary>the judge's reasoning</summary>")[1].split("</details>")[0]
    assert "It says so." in folded
    assert "&middot; 4.5/5" in page


def test_the_champion_has_a_table_of_its_own_in_every_form(report: Report, predictions: list[dict[str, Any]]) -> None:
    scores = with_champion(report.scores)
    changed = report.model_copy(update={"scores": scores})
    text = text_table(scores).split("\n\n")
    assert [table.splitlines()[0].count("won/tied/lost") for table in text] == [1, 1]
    assert "tuned - champion [90 %]" in text[1]
    for form in (markdown(changed), html(changed, predictions, CURVES)):
        assert "Tuned minus champion: +0.440 [+0.300, +0.580] by SemScore on reworded (en, n=9" in form
        assert "tuned - champion [90 %]" in form


def test_the_champions_table_has_the_n_and_means_of_the_questions_that_it_has_not_learnt(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    scores = with_champion(report.scores)
    first = scores.groups[0]
    metric = first.metric("semscore")
    fair = metric.comparisons["champion"].model_copy(update={"n": 5, "means": {"champion": 0.222, "tuned": 0.662}})
    without = first.metric("chrf").model_copy(
        update={"comparisons": {}, "mean": {"base": 0.3, "tuned": 0.4}, "no_comparison": {"champion": "too few"}}
    )
    metric = metric.model_copy(update={"comparisons": metric.comparisons | {"champion": fair}})
    group = first.model_copy(
        update={"metrics": (metric, without), "sources": {"qa": SourceScore(n=9, mean={"base": 0.3, "tuned": 0.4})}}
    )
    changed = scores.model_copy(update={"groups": (group, *scores.groups[1:])})
    whole, against_it = (table.splitlines() for table in text_table(changed).split("\n\n"))
    assert whole[0].split() == header_of("held-out questions metric n base adapted tuned floor tuned - base [90 %]")
    assert against_it[2].split()[2:6] == ["SemScore", "5", "0.222", "0.662"]
    assert against_it[3].split()[2:] == ["chrF", *"-------"]
    page = html(report.model_copy(update={"scores": changed}), predictions, CURVES)
    for form in (page, markdown(report.model_copy(update={"scores": changed}))):
        assert "Means and grades of the champion leave out the questions that it has learnt." in form
        assert "reworded (en), chrF, champion: too few" in form


def header_of(names: str) -> list[str]:
    """The words of the first table's header."""
    return f"{names} p p Holm won/tied/lost".split()


def test_the_plot_of_single_items_leaves_out_what_the_champion_has_learnt(
    report: Report, predictions: list[dict[str, Any]]
) -> None:
    scores = with_champion(report.scores)
    plain = distributions(scores, predictions)
    learnt = [item | {"known_to": ["champion"]} for item in predictions]
    assert distributions(report.scores, learnt) == distributions(report.scores, predictions)
    assert plain.count("<use") - distributions(scores, learnt).count("<use") == 6  # three scores in each panel


def test_what_has_no_interval_and_how_many_were_tested_is_said(report: Report) -> None:
    (first, *others), scores = report.scores.groups, report.scores
    metric = first.metrics[0].model_copy(update={"comparisons": {}, "no_interval": "no interval: only 1 question"})
    groups = (first.model_copy(update={"metrics": (metric, *first.metrics[1:])}), *others)
    changed = scores.model_copy(update={"groups": groups, "comparisons_made": {"base": 3}})
    text = markdown(report.model_copy(update={"scores": changed}))
    assert "> reworded (en), chrF: no interval: only 1 question" in text
    assert "3 comparisons with base" in text


def test_the_best_and_worst_items_are_by_the_gain_of_tuned_and_none_is_both(report: Report) -> None:
    items = [
        {
            "id": f"i{at:02}", "kind": "reworded", "language": "en", "question": f"q{at}", "answer": "r",
            "answers": {"base": "b", "tuned": "t"},
            "scores": {
                "semscore": {"base": 0.5, "tuned": None if at == 7 else at / 100},
                "truthfulness": {"base": 1.0, "tuned": None},
            },
            "judgements": {"base": {"reasoning": "no", "samples": [1], "fault": None},
                           "tuned": {"reasoning": "", "samples": [], "fault": "timeout"}},
        }
        for at in range(60)
    ]  # fmt: skip
    best, worst = best_and_worst(report.scores, items)
    assert [example.question for example in best] == [f"q{at}" for at in range(59, 39, -1)]
    assert [example.question for example in worst] == [f"q{at}" for at in (*range(7), *range(8, 21))]
    assert (best[0].grades, best[0].reasoning) == ({"base": 1.0}, {"base": "no"})
    assert best_and_worst(report.scores, items[::-1]) == (best, worst)
    best, worst = best_and_worst(report.scores, items[:3])
    assert [example.question for example in (*best, *worst)] == ["q2", "q1", "q0"]


def test_plots_are_the_same_for_the_same_scores(report: Report, predictions: list[dict[str, Any]]) -> None:
    assert html(report, predictions, CURVES) == html(report, predictions, CURVES)


def test_markdown_keeps_tables_whole(report: Report) -> None:
    text = markdown(report)
    table = [
        line
        for line in text.splitlines()
        if line.startswith(("| held-out questions | metric", "|---|---|---|---|---|---|---|---|"))
    ]
    assert len(table) == 2
    assert "| **reworded (en)** | **SemScore** |" in text
    assert "(empty)" in text
