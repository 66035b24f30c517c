"""A site for all tests of this folder, Chromium, and a tab for each user that a test asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState

import headless
import stack
from airflow_stack.page import SCREENSHOTS, SIZE, AirflowPage
from airflow_stack.site import Site, started
from tradewind_airflow.local.run import DagRun

# Seconds of training each, though long enough to be watched; in English, which the embedded encoder can judge.
QUICK = """
data: {max_records: 20}
adapt: {enabled: false}
finetune: {num_train_epochs: 4, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256,
           logging_steps: 2}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 16}
"""
PICTURED = """
adapt: {enabled: false}
finetune: {num_train_epochs: 4, learning_rate: 3.0e-3, per_device_train_batch_size: 16, gradient_accumulation_steps: 1,
           max_length: 512, logging_steps: 2, lora: {r: 64, lora_alpha: 128}}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 64}
"""
AsUser = Callable[[str], AirflowPage]
_HAS_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        item.stash[_HAS_FAILED] = True
    return report  # type: ignore[return-value]


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    why = headless.missing()
    if why:
        pytest.skip(why)
    if stack.postgres_programs() is None:
        pytest.skip("Postgres is not installed")
    with started(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="package")
def recipe(site: Site) -> str:
    """The path of a recipe that trains for seconds; for pictures one whose scores are worth a look."""
    file = site.home / "quick.yaml"
    file.write_text(PICTURED if os.environ.get(SCREENSHOTS) else QUICK, encoding="utf-8")
    return str(file)


@pytest.fixture(scope="package")
def first(site: Site, recipe: str) -> DagRun:
    """A run that has ended, by whose results later ones may go."""
    run = site.trigger(recipe=recipe, data="embedded:en", seed=1)
    site.end(run)
    assert run.state() == "success", f"the first run failed; see {site.logs}"
    return run


# For a module: while it runs, no other test of this process may start an event loop.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless.chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def logins() -> dict[str, StorageState]:
    """The cookies of who has logged in."""
    return {}


@contextmanager
def opened(site: Site, chromium: Browser, logins: dict[str, StorageState], pictures: Path) -> Iterator[AsUser]:
    """Opens tabs for users; of an error in the block a picture of each stays in `pictures`."""
    contexts: list[BrowserContext] = []

    def tab(who: str) -> AirflowPage:
        context = chromium.new_context(viewport=SIZE, storage_state=logins.get(who), locale="en-GB")
        context.set_default_timeout(headless.LIMIT)
        contexts.append(context)
        page = AirflowPage(site, context.new_page())
        if who not in logins:
            page.log_in(site.users[who])
            logins[who] = context.storage_state()
        return page

    try:
        yield tab
    except BaseException:
        for number, page in enumerate(page for context in contexts for page in context.pages):
            picture = pictures / f"failed-{number}.png"
            page.screenshot(path=picture)
            print(f"{page.url}: seen in {picture}; Airflow's logs: {site.logs}")
        raise
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def as_user(
    site: Site, chromium: Browser, logins: dict[str, StorageState], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[AsUser]:
    """A tab of one who is logged in."""
    with suppress(_FailedError), opened(site, chromium, logins, tmp_path) as tab:
        yield tab
        if request.node.stash.get(_HAS_FAILED, False):
            raise _FailedError  # pytest tells the fixture nothing of the test's own error


class _FailedError(Exception):
    pass
