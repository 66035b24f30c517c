"""The look at the documents: told once, when they have changed and are at rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tradewind_airflow.operators.documents import WatchDocumentsOperator

DOCUMENTS = Asset("trade_qa.documents")


class Events:
    """The asset's events so far, as Airflow offers them to a task: the oldest first unless asked otherwise."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._newest_first, self._most = False, 1000

    def ascending(self, ascending: bool) -> Events:
        self._newest_first = not ascending
        return self

    def limit(self, most: int) -> Events:
        self._most = most
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter((self.told[::-1] if self._newest_first else self.told)[: self._most])


class Store(dict[str, Any]):
    """What Airflow keeps for an asset between tasks."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Watch:
    """One look after the other."""

    def __init__(self, folder: Path) -> None:
        self.task = WatchDocumentsOperator(task_id="look", documents=DOCUMENTS, recipe="tiny", data=str(folder))
        self.events, self.store = Events(), Store()

    def look(self) -> str:
        outlet = SimpleNamespace(extra={})
        context: Any = {
            "inlet_events": {DOCUMENTS: self.events},
            "outlet_events": {DOCUMENTS: outlet},
            "asset_state_store": {DOCUMENTS: self.store},
        }
        try:
            self.task.execute(context)
        except AirflowSkipException as skipped:
            return str(skipped).partition(": ")[2]
        self.events.told.append(SimpleNamespace(extra=outlet.extra))
        return "told"


UNCHANGED, CHANGED = "as they were when last told of", "changed; told if the next look finds them so as well"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    folder = tmp_path / "documents" / "term_data"
    folder.mkdir(parents=True)
    (folder / "terms.json").write_text('[{"term": "FOB", "description": "free on board"}]')
    return folder


def test_documents_are_told_once_and_again_when_they_have_changed(folder: Path) -> None:
    watch = Watch(folder.parent)
    assert [watch.look() for _ in range(4)] == [CHANGED, "told", UNCHANGED, UNCHANGED]
    (folder / "more.json").write_text('[{"term": "CIF", "description": "cost, insurance and freight"}]')
    assert [watch.look() for _ in range(3)] == [CHANGED, "told", UNCHANGED]
    first, second = (event.extra for event in watch.events.told)
    assert first["documents"] != second["documents"]
    assert second["bytes"] > first["bytes"]


def test_a_folder_that_is_still_being_copied_is_not_told(folder: Path) -> None:
    watch = Watch(folder.parent)
    for number in range(3):
        (folder / f"part_{number}.json").write_text(f'[{{"term": "T{number}", "description": "a term of trade"}}]')
        assert watch.look() == CHANGED
    assert watch.look() == "told"


def test_documents_that_are_put_back_are_no_change(folder: Path) -> None:
    watch = Watch(folder.parent)
    watch.look()
    watch.look()
    before = (folder / "terms.json").read_text()
    (folder / "terms.json").write_text("[]")
    assert watch.look() == CHANGED
    (folder / "terms.json").write_text(before)
    assert watch.look() == UNCHANGED


def test_what_was_seen_before_they_were_put_back_is_no_look_of_now(folder: Path) -> None:
    """The same half of a copy, begun a second time, is not at rest."""
    watch = Watch(folder.parent)
    watch.look()
    watch.look()
    for looked in (CHANGED, UNCHANGED, CHANGED):
        part = folder / "part.json"
        part.unlink() if part.exists() else part.write_text("[]")
        assert watch.look() == looked
    assert watch.look() == "told"


def test_an_event_of_somebody_elses_tells_nothing_of_the_documents(folder: Path) -> None:
    """Such as one by hand, on Airflow's page."""
    watch = Watch(folder.parent)
    assert [watch.look() for _ in range(2)] == [CHANGED, "told"]
    watch.events.told += [SimpleNamespace(extra={"from_rest_api": True}), SimpleNamespace(extra=None)]
    assert [watch.look() for _ in range(2)] == [UNCHANGED, UNCHANGED]


def test_a_folder_that_is_not_there_fails_in_one_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(AirflowFailException, match="absent: no such folder; name the folder of your documents"):
        Watch(tmp_path / "absent").look()
