"""The Progress tab of a task: figures and the loss curve of a training, while it goes on and after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

import pages_data as data
from pages_server import PagesServer


@pytest.fixture
def training(page: Page, server: PagesServer) -> Page:
    page.clock.install()
    page.goto(server.page("progress", task_id="finetune", map_index="{MAP_INDEX}"))
    expect(page.get_by_role("progressbar")).to_be_visible()
    return page


def figure(page: Page, term: str) -> str:
    return page.locator("#figures div").filter(has=page.locator("dt", has_text=term)).locator("dd").inner_text()


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("Step", "120 of 500"),
        ("Epoch", "0.72"),
        ("Tokens/s", "18,343"),
        ("Time left", "about 12 min 02 s"),
        ("GPU memory", "31 GB of 85 GB"),
    ],
)
def test_figures_of_a_running_training(training: Page, term: str, words: str) -> None:
    assert figure(training, term) == words


def test_share_done_is_a_progress_bar(training: Page) -> None:
    bar = training.get_by_role("progressbar", name="Steps done")
    assert bar.evaluate("(bar) => [bar.value, bar.max]") == [24, 100]


def test_loss_curve_is_read_off_by_keyboard(training: Page) -> None:
    expect(training.get_by_role("img", name="Loss by step of finetune")).to_be_visible()
    training.get_by_role("slider", name="Step read off the plot").focus()
    expect(training.locator(".readout")).to_contain_text("Step 120")
    training.keyboard.press("Home")
    expect(training.locator(".readout")).to_contain_text("Step 5")
    expect(training.get_by_role("slider")).to_have_attribute("aria-valuetext", "Step 5, loss 3.496")


def test_loss_curve_is_a_table_too(training: Page) -> None:
    training.get_by_text("The curve as a table").click()
    rows = training.get_by_role("table", name="Loss by step").get_by_role("row")
    expect(rows).to_have_count(1 + 24)
    expect(rows.nth(1)).to_contain_text("120")
    expect(rows.nth(24)).to_contain_text("3.496")


def test_page_follows_the_training_and_ends_with_its_figures(training: Page, server: PagesServer) -> None:
    server.answer("progress", 200, data.training(200))
    training.clock.run_for(3_000)
    expect(training.locator("#figures")).to_contain_text("200 of 500")
    expect(training.locator(".readout")).to_contain_text("Step 200")
    expect(training.get_by_role("status").last).to_contain_text("40 percent done")
    server.answer("progress", 200, data.training(500, "success", metrics=data.METRICS))
    training.clock.run_for(3_000)
    final = training.get_by_role("region", name="Final figures")
    expect(final).to_contain_text("train time15 min 51 s")
    expect(final).to_contain_text("20,766,720")
    expect(training.locator("#figures")).not_to_contain_text("Time left")
    asked = len(server.asked("progress"))
    training.clock.run_for(60_000)
    assert len(server.asked("progress")) == asked


def test_reader_who_chose_a_step_keeps_it(training: Page, server: PagesServer) -> None:
    training.get_by_role("slider").focus()
    training.keyboard.press("Home")
    server.answer("progress", 200, data.training(200))
    training.clock.run_for(3_000)
    expect(training.locator("#figures")).to_contain_text("200 of 500")
    expect(training.locator(".readout")).to_contain_text("Step 5")


def test_silent_training_is_noticed(training: Page, server: PagesServer) -> None:
    server.answer("progress", 200, data.training(silent_seconds=600.0))
    training.clock.run_for(3_000)
    expect(training.get_by_text("Its last word came 10 min 00 s ago")).to_be_visible()


def test_a_clock_of_the_readers_that_is_fast_makes_no_training_silent(page: Page, server: PagesServer) -> None:
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=1))
    page.goto(server.page("progress", task_id="finetune"))
    expect(page.locator("#words")).to_have_text("It is running.")


def test_training_on_cpu_that_has_not_logged_yet(page: Page, server: PagesServer) -> None:
    young = data.training(0)
    young["progress"] |= {"gpu_memory_bytes": None, "tokens_per_second": None, "seconds_left": None, "max_steps": 0}
    server.answer("progress", 200, young)
    page.goto(server.page("progress", task_id="finetune"))
    expect(page.get_by_text("no GPU")).to_be_visible()
    expect(page.get_by_role("heading", name="Loss")).to_be_hidden()


@pytest.mark.parametrize(
    ("state", "words"),
    [(None, "It has not started."), ("queued", "It waits for a free slot or GPU."), ("failed", "It failed")],
)
def test_training_without_any_word_says_its_state(
    page: Page, server: PagesServer, state: str | None, words: str
) -> None:
    server.answer("progress", 200, data.training(0) | {"state": state, "progress": None})
    page.goto(server.page("progress", task_id="finetune"))
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_other_tasks_say_that_they_train_nothing(page: Page, server: PagesServer) -> None:
    nothing = {"state": "success", "training": False, "progress": None, "curve": [], "metrics": None}
    server.answer("progress", 200, nothing)
    page.goto(server.page("progress", task_id="prepare"))
    expect(page.get_by_role("heading", name="This task trains nothing")).to_be_visible()
    expect(page.get_by_role("heading", name="How far it is")).to_be_hidden()


@pytest.mark.parametrize(("given", "asked"), [("{MAP_INDEX}", "-1"), ("-1", "-1"), ("3", "3")])
def test_map_index_of_a_task_that_is_not_mapped(page: Page, server: PagesServer, given: str, asked: str) -> None:
    page.goto(f"{server.url}/tradewind/pages/progress?dag_id=d&run_id=r&task_id=finetune&map_index={given}")
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert server.asked("progress")[0].query == {
        "dag_id": "d",
        "run_id": "r",
        "task_id": "finetune",
        "map_index": asked,
    }
