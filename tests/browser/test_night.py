"""A person's morning in Airflow's page: a run from the form with a stage skipped, watched, read, cleared, cut short.

The tests follow each other: they are one story of two runs after the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, StorageState, expect

from airflow_stack.site import ENDED, Site
from browser.conftest import AsUser, opened
from tradewind.run_dir import RunDir
from tradewind.run_settings import read_settings
from tradewind_airflow.local.run import DagRun
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LONG = 900.0  # seconds for what trains, beside other work on the machine
SEED = 2
_A_THIRD = re.compile(r"^([3-9].|100)$")  # or more, in percent
COLOURS = {"success": "green", "skipped": "pink"}


@pytest.fixture(scope="module")
def night(
    site: Site,
    first: DagRun,
    recipe: str,
    chromium: Browser,
    logins: dict[str, StorageState],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DagRun]:
    """A run started from the form: another seed, and no `prepare` of its own."""
    with opened(site, chromium, logins, tmp_path_factory.mktemp("form")) as tab:
        airflow = tab("admin")
        airflow.open_dag()
        form = airflow.trigger_form()
        form.section("Model and data")
        form.fill("Recipe", recipe)
        form.fill("Documents", "embedded:en")
        form.section("Training")
        form.fill("Seed", str(SEED))
        form.section("This run")
        form.choose("prepare")
        airflow.picture("form")
        yield DagRun(site.stack.server, form.trigger())


def test_the_run_is_what_the_form_was_told(site: Site, first: DagRun, night: DagRun, recipe: str) -> None:
    run_dir = RunDir(site.run_dir(night.run_id))
    settings = wait_for(lambda: read_settings(run_dir), "run.json is written", 120)
    assert settings is not None
    assert settings.skip == ("prepare",)
    assert settings.force is False
    assert (settings.config.recipe, settings.config.data_dir, settings.config.seed) == (
        Path(recipe).stem,
        "embedded:en",
        SEED,
    )


def test_the_grid_shows_the_skipped_stage_in_pink_while_the_run_goes_on(
    site: Site, night: DagRun, as_user: AsUser
) -> None:
    airflow = as_user("admin")
    airflow.open_run(night.run_id)
    wait_for(lambda: airflow.colour(night.run_id, "prepare") == "pink", "prepare is pink in the grid", 120)
    assert night.state() == "running"


def test_progress_shows_the_training_while_it_goes_on(site: Site, night: DagRun, as_user: AsUser) -> None:
    airflow = as_user("admin")
    wait_for(lambda: site.task(night.run_id, "finetune")["state"] == "running", "finetune runs", LONG)
    airflow.open_task(night.run_id, "finetune")
    tab = airflow.tab("Progress")
    steps = tab.get_by_text(re.compile(r"^\d+ of \d+$"))
    expect(steps).to_be_visible(timeout=LONG * 1000)
    expect(tab.get_by_role("img", name="Loss by step of finetune")).to_be_visible(timeout=LONG * 1000)
    expect(tab.get_by_text("Time left")).to_be_visible()
    before = steps.inner_text()
    expect(steps).not_to_have_text(before)  # by itself
    expect(tab.get_by_role("progressbar")).to_have_attribute("value", _A_THIRD, timeout=LONG * 1000)
    tab.get_by_role("heading", name="How far it is").evaluate("heading => heading.scrollIntoView()")
    airflow.picture("progress")
    assert site.task(night.run_id, "finetune")["state"] == "running", "finetune had ended: nothing was seen of it"


def test_the_others_turn_green(site: Site, night: DagRun, as_user: AsUser) -> None:
    airflow = as_user("admin")
    airflow.open_run(night.run_id)
    states = site.end(night, LONG)
    assert night.state() == "success", f"{states}; see {site.logs}"
    assert states["prepare"] == "skipped"
    for task in ("configure", "shards", "baseline", "finetune", "evaluate", "report", "register"):
        assert states[task] == "success", states
    expected = {task: COLOURS[state] for task, state in states.items()}
    seen = {}

    def as_expected() -> bool:
        seen.update({task: airflow.colour(night.run_id, task) for task in expected})
        return seen == expected

    wait_for(as_expected, "the grid has a colour for each state")
    expect(airflow.page.get_by_text("Success").first).to_be_visible()
    expect(airflow.page.get_by_text("Running")).to_have_count(0)
    airflow.picture("grid")


def test_the_report_says_whose_result_stands_in_and_shows_the_scores(
    site: Site, first: DagRun, night: DagRun, as_user: AsUser
) -> None:
    airflow = as_user("admin")
    airflow.open_run(night.run_id)
    tab = airflow.tab("Report")
    expect(_stage(tab, "prepare")).to_contain_text(f"the result of run {site.run_dir(first.run_id).name} stands in")
    expect(_stage(tab, "finetune")).to_contain_text("made")
    _shows_the_scores_of(tab, site.run_dir(night.run_id))
    airflow.picture("report")


def test_files_shows_the_run_and_hands_out_its_files(
    site: Site, night: DagRun, as_user: AsUser, tmp_path: Path
) -> None:
    airflow = as_user("admin")
    airflow.open_run(night.run_id)
    tab = airflow.tab("Files")
    expect(tab.get_by_role("link", name="prepare/")).to_be_visible()
    airflow.picture("files")
    tab.get_by_role("link", name="report/").click()
    with airflow.page.expect_download() as started:
        tab.get_by_role("link", name="report.json").press("Enter")
    file = tmp_path / "report.json"
    started.value.save_as(file)
    assert started.value.suggested_filename == "report.json"
    assert file.read_bytes() == (site.run_dir(night.run_id) / "report" / "report.json").read_bytes()
    expect(tab.get_by_role("link", name="summary.json")).to_be_visible()


def test_models_shows_both_runs_and_compares_them(site: Site, first: DagRun, night: DagRun, as_user: AsUser) -> None:
    airflow = as_user("admin")
    airflow.open("/")
    airflow.page.get_by_role("link", name="Models", exact=True).click()
    tab = airflow.embedded()
    for run in (first, night):
        expect(tab.get_by_role("link", name=run.run_id)).to_be_visible()
    expect(tab.get_by_role("img", name="over time")).to_be_visible()
    airflow.picture("models")
    for run in (first, night):
        tab.get_by_label(f"Compare {run.run_id}").check()
    tab.get_by_role("button", name="Compare", exact=True).click()
    expect(tab.locator("#comparison")).to_contain_text("SemScore")


def test_a_cleared_finetune_is_trained_anew_and_its_scores_are_read(site: Site, night: DagRun, as_user: AsUser) -> None:
    run_dir = site.run_dir(night.run_id)
    before = {stage: RunDir(run_dir).result(stage) for stage in ("prepare", "finetune", "evaluate", "report")}
    airflow = as_user("admin")
    airflow.clear(night.run_id, "finetune")
    wait_for(lambda: night.state() not in ENDED, "the run goes on", 60)
    states = site.end(night, LONG)
    assert night.state() == "success", f"{states}; see {site.logs}"
    after = {stage: RunDir(run_dir).result(stage) for stage in before}
    assert after["prepare"] == before["prepare"]
    for stage in ("finetune", "evaluate", "report"):
        assert after[stage].status == "success", f"{stage} was cleared, and is {after[stage].status}"
        assert after[stage].started_at > before[stage].started_at
    airflow.open_run(night.run_id)
    tab = airflow.tab("Report")
    expect(_stage(tab, "finetune")).to_contain_text("made")
    _shows_the_scores_of(tab, run_dir)


def test_a_running_finetune_is_skipped_by_the_button(
    site: Site, first: DagRun, night: DagRun, recipe: str, as_user: AsUser
) -> None:
    run = site.trigger(recipe=recipe, data="embedded:en", seed=1, epochs=50)
    airflow = as_user("admin")
    wait_for(lambda: site.task(run.run_id, "finetune")["state"] == "running", "finetune runs", LONG)
    airflow.open_run(run.run_id)
    tab = airflow.tab("Report")
    tab.get_by_role("button", name="Skip finetune").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("It is running and is stopped.")
    dialog.get_by_role("button", name="Skip it").click()
    expect(dialog).to_be_hidden()
    states = site.end(run, LONG)
    assert run.state() == "success", f"{states}; see {site.logs}"
    assert states["finetune"] == "skipped"
    wait_for(lambda: airflow.colour(run.run_id, "finetune") == "pink", "finetune is pink in the grid")
    result = RunDir(site.run_dir(run.run_id)).result("finetune")
    assert result.status == "skipped"
    assert result.source_run in {site.run_dir(one.run_id).name for one in (first, night)}
    expect(_stage(tab, "finetune")).to_contain_text(f"the result of run {result.source_run} stands in")


def _stage(tab: FrameLocator, stage: str) -> Locator:
    return tab.locator("#stages").get_by_role("row").filter(has=tab.get_by_role("rowheader", name=stage, exact=True))


def _shows_the_scores_of(tab: FrameLocator, run_dir: Path) -> None:
    """The report below the stages holds the figures of the run's `report.json`."""
    scores = json.loads((run_dir / "report" / "report.json").read_text(encoding="utf-8"))["scores"]
    report = tab.frame_locator("iframe.report").locator("body")
    expect(report).to_contain_text(scores["verdict_reason"])
    semscore = next(metric for metric in scores["groups"][0]["metrics"] if metric["metric"] == "semscore")
    for system in ("base", "tuned"):
        expect(report).to_contain_text(f"{semscore['mean'][system]:.3f}")
