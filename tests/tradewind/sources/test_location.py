"""Documents by name: the same name in every container, and a folder behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents import SAMPLES
from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.sources.location import absolute, locate_documents
from tradewind.stages.prepare import prepare


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_embedded_documents_keep_their_name_and_are_the_samples(language: str) -> None:
    name = f"embedded:{language}"
    assert absolute(name) == name
    assert locate_documents(name) == SAMPLES[language]


@pytest.mark.parametrize("name", ["embedded:", "embedded:fr", "embedded:../samples/en", "embedded:en/", "embedded:EN"])
def test_other_embedded_names_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UserError) as raised:
        locate_documents(name)
    assert str(raised.value) == f"data '{name}': unknown; embedded are embedded:en, embedded:ko"


def test_a_folder_is_kept_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for data in ("real", "./real", "~/real", "link", "other/../real", Path("real"), tmp_path / "real"):
        assert absolute(data) == str(tmp_path.resolve() / "real")
    assert locate_documents(absolute("real")) == tmp_path.resolve() / "real"


def test_a_folder_of_that_name_is_still_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("./embedded:en") == str(tmp_path.resolve() / "embedded:en")


def test_the_samples_by_name_and_by_folder_are_the_same_documents(tmp_path_factory: pytest.TempPathFactory) -> None:
    by_name, by_folder = (
        prepare(resolve("tiny", data), tmp_path_factory.mktemp("work")) for data in ("embedded:en", SAMPLES["en"])
    )
    assert resolve("tiny", "embedded:en").data_dir == "embedded:en"
    assert by_name.split.use_of.tolist() == by_folder.split.use_of.tolist()
    assert by_name.catalogue.counts.files == by_folder.catalogue.counts.files
