"""The data set's card, from rows with everything in them that can go wrong on a page."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import SAMPLES, Cli
from prepared_rows import Rows, prepared_rows, row, write_rows
from tradewind.config import RunConfig
from tradewind.dataset.files import write_dataset_files
from tradewind.recipes import resolve
from tradewind.reporting import dataset_card
from tradewind.reporting.dataset_card import write_dataset_card

HOSTILE = "<script>alert('x')</script> <img src=x onerror=alert(1)> {{ 7*7 }} | a `b` [c](http://d) \u202eevil ما هو 🚢"
ACCOUNTING = {"entries in the documents": 1234, "rejected": 1}


@pytest.fixture
def config() -> RunConfig:
    return resolve("tiny", "/home/somebody/documents", seed=7)


class _Card:
    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder, self._config = folder, config

    def __call__(self, rows: Rows, title: str = "Trade") -> tuple[str, str]:
        prepare = write_rows(self.folder / "prepare", rows)
        write_dataset_card(prepare, self.folder, title=title, config=self._config, accounting=ACCOUNTING)
        markdown, page = self.folder / "dataset_card.md", self.folder / "dataset_card.html"
        return markdown.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")


@pytest.fixture
def card(tmp_path: Path, config: RunConfig) -> _Card:
    """Write both forms of the card of these rows, and read them."""
    return _Card(tmp_path, config)


def _front_matter(markdown: str) -> dict[str, Any]:
    loaded = yaml.safe_load(markdown.split("---\n")[1])
    assert isinstance(loaded, dict)
    return loaded


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_both_forms_give_the_counts_by_source_language_file_and_kind(card: _Card) -> None:
    rows = prepared_rows()
    rows["train.jsonl"].append(row("LC", 1, "신용장이란?", "지급 확약", language="ko", source="exam", file="exam.json"))
    for text in card(rows):
        assert "7 question/answer pairs: 3 to train on, 1 reworded, 1 read, 2 unseen" in text or "<b>3</b>train" in text
    markdown = (card.folder / "dataset_card.md").read_text(encoding="utf-8")
    for line in ("| term | 2 | 1 | 1 | 2 | 6 |", "| exam | 1 | 0 | 0 | 0 | 1 |", "| ko | 1 | 0 | 0 | 0 | 1 |",
                 "| exam.json | 1 | 0 | 0 | 0 | 1 |", "| entries in the documents | 1,234 |"):  # fmt: skip
        assert line in markdown


def test_what_documents_say_is_text_and_nothing_else(card: _Card) -> None:
    rows = prepared_rows()
    rows["train.jsonl"].append(row("X", 1, HOSTILE, HOSTILE, file=HOSTILE, context=HOSTILE))
    rows["train.jsonl"].append(row("X", 2, HOSTILE, "another answer"))
    rows["rejected.jsonl"].append({"file": HOSTILE, "place": HOSTILE, "reason": HOSTILE, "excerpt": HOSTILE})
    markdown, page = card(rows, title=HOSTILE)
    found = _Tags(page)
    assert not found.tags & {"script", "img"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert "{{ 7*7 }}" in page
    for outside in ('src="http', 'href="http', "@import", "<link"):
        assert outside not in page
    body = markdown.split("---\n", 2)[2]
    assert not [line for line in body.splitlines() if "<script" in line.replace("\\<", "")]
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables if "script" in line} == {3, 7}
    assert _front_matter(markdown)["pretty_name"] == HOSTILE


def test_a_split_that_is_broken_in_the_files_is_not_let_out(card: _Card) -> None:
    rows = prepared_rows()
    rows["corpus.jsonl"].append({"text": rows["heldout.jsonl"][2]["context"]})
    with pytest.raises(AssertionError, match=r"the split is broken: .*first: corpus\.jsonl, line 4"):
        card(rows)
    assert not (card.folder / "dataset_card.md").exists()


def test_every_claim_about_the_split_stands_with_its_numbers(card: _Card) -> None:
    markdown, page = card(prepared_rows())
    assert "| each pair stands once, in one kind | 6 | 0 |" in markdown
    assert "| unseen: nothing of the record is of another kind | 2 | 0 |" in markdown
    assert page.count('class="number kept"') == 9


def test_contradictory_answers_are_told_side_by_side(card: _Card) -> None:
    rows = prepared_rows()
    rows["train.jsonl"] += [
        row("FOB", 3, "What is FOB?", "A watch's fob."),
        row("FOB", 4, "what is  fob", "free on board"),
        row("CIF", 2, "What is CIF?", "Cost and more!"),
    ]
    markdown, page = card(rows)
    assert "## Contradictions: 1\n" in markdown
    said = markdown.split("## Contradictions")[1].split("## Rows")[0]
    assert "What is FOB? (3 pairs)\n\n- term\\_data/terms.json\\#FOB/1: Free on board.\n" in said
    assert said.count("\n- ") == 2
    assert "A watch&#39;s fob." in page
    assert "CIF" not in said


def test_of_many_contradictions_some_are_shown_and_all_are_counted(card: _Card) -> None:
    rows = prepared_rows()
    rows["train.jsonl"] += [row(f"r{n}", 1, f"What is thing {n // 9}?", f"Answer {n}.") for n in range(450)]
    markdown, _ = card(rows)
    assert "## Contradictions: 50\n" in markdown
    assert "450 pairs in all" in markdown
    assert "The first 20:" in markdown
    assert markdown.count("(9 pairs)") == 20
    assert markdown.split("## Contradictions")[1].split("## Rows")[0].count("\n- ") == 20 * 5


def test_rejections_are_told_by_reason_the_most_frequent_first(card: _Card) -> None:
    rows = prepared_rows()
    rows["rejected.jsonl"] = [
        {
            "file": "a.json",
            "place": f"entry {n}",
            "reason": f"the answer '{n}' is none of the {n} options",
            "excerpt": "x",
        }
        for n in range(40)
    ] + [{"file": "b.json", "place": "entry 1", "reason": "no term", "excerpt": "{}"}]
    markdown, page = card(rows)
    assert "## Rejected: 41\n" in markdown
    assert "| the answer '…' is none of the n options | 40 |\n| no term | 1 |" in markdown
    assert page.count("a.json") == 3


def test_the_front_matter_is_the_hub_s_and_names_only_files_that_there_are(card: _Card) -> None:
    rows = prepared_rows()
    rows["heldout.jsonl"] = [pair for pair in rows["heldout.jsonl"] if pair["kind"] != "read"]
    rows["train.jsonl"].append(row("LC", 1, "신용장이란?", "지급 확약", language="ko"))
    told = _front_matter(card(rows)[0])
    assert told["language"] == ["en", "ko"]
    assert told["size_categories"] == ["n<1K"]
    assert told["configs"][0]["data_files"] == [
        {"split": use, "path": f"{use}.conversational.jsonl"} for use in ("train", "reworded", "unseen")
    ]


@pytest.mark.parametrize(("pairs", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K")])
def test_the_size_class_has_the_hub_s_bounds(card: _Card, pairs: int, size: str) -> None:
    rows = prepared_rows()
    rows["train.jsonl"] += [row(f"r{n}", 1, f"What is thing {n}?", "An answer.") for n in range(pairs - 6)]
    assert _front_matter(card(rows)[0])["size_categories"] == [size]


def test_the_hub_s_loader_finds_the_splits_by_the_card(tmp_path: Path, card: _Card) -> None:
    from datasets import load_dataset

    card(prepared_rows())
    folder = tmp_path / "prepare"
    write_dataset_files(folder, folder)
    shutil.copy(tmp_path / "dataset_card.md", folder / "README.md")
    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {use: len(split) for use, split in loaded.items()} == {"train": 2, "reworded": 1, "read": 1, "unseen": 2}
    pairs = load_dataset(str(folder), "heldout_pairs", cache_dir=str(tmp_path / "cache"))
    assert pairs["test"][0]["question"] == "Which term means free on board?"


def test_the_card_says_nothing_of_the_computer_it_was_made_on(card: _Card, tmp_path: Path) -> None:
    for text in card(prepared_rows()):
        assert "/home/somebody" not in text
        assert str(tmp_path) not in text


def test_the_same_pairs_give_the_same_card(tmp_path: Path, config: RunConfig) -> None:
    rows = prepared_rows()
    rows["train.jsonl"] += [row(f"r{n}", 1, f"What is thing {n}?", f"Answer {n}.") for n in range(100)]
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made.append(_Card(tmp_path / name, config)(rows))
    assert made[0] == made[1]


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_the_samples_card_has_ten_rows_of_each_source(
    cli: Cli, tmp_path: Path, config: RunConfig, language: str
) -> None:
    made = cli("prepare", "--recipe", "tiny", "--data", f"embedded:{language}", "--run-dir", tmp_path / "run")
    assert made.returncode == 0, made.stderr
    write_dataset_card(tmp_path / "run" / "prepare", tmp_path, title="Samples", config=config, accounting={"files": 20})
    drawn = (tmp_path / "dataset_card.md").read_text(encoding="utf-8").split("## Rows drawn by chance")[1]
    assert {source: part.count("\n- answer: ") for source, part in _sections(drawn).items()} == dict.fromkeys(
        ("exam", "term", "transcript"), 10
    )
    page = (tmp_path / "dataset_card.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert len(page) < 300_000


def _sections(markdown: str) -> dict[str, str]:
    return {part.split("\n")[0]: part for part in markdown.split("### ")[1:]}


def test_many_files_are_shown_in_part_and_counted(card: _Card) -> None:
    rows = prepared_rows()
    rows["train.jsonl"] += [row("r", 1, f"What is thing {n}?", "It is.", file=f"t{n}.json") for n in range(60)]
    markdown, _ = card(rows)
    assert markdown.count(".json | 1 |") == dataset_card.FILES_SHOWN - 1
    assert "21 more files." in markdown
