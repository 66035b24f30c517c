"""Tables in every format give the same records; columns are mapped; no row is lost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collected import Documents, read_documents
from documents import WriteDocuments
from tradewind.config import ColumnsConfig, DataConfig
from tradewind.errors import UserError
from tradewind.recipes import resolve

Rows = list[dict[str, Any]]
GERMAN: Rows = [
    {"Begriff": "Fracht", "Text": 'Der Preis der "Beförderung";\nohne Zoll.'},
    {"Begriff": "Zoll", "Text": "Abgabe, an der Grenze 😀."},
    {"Begriff": "", "Text": "Ohne Begriff."},
]
MAPPED = DataConfig(columns=ColumnsConfig(term=("Begriff", "term"), description=("Text",)))


def _csv(rows: Rows, delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def _jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


FORMATS = {
    "a.json": lambda rows: json.dumps(rows).encode(),
    "a.jsonl": _jsonl,
    "a.csv": _csv,
    "semicolons.csv": lambda rows: _csv(rows, ";"),
    "tabs.csv": lambda rows: _csv(rows, "\t"),
    "a.tsv": lambda rows: _csv(rows, "\t"),
    "a.parquet": _parquet,
    "a.JSONL": _jsonl,
}


def _counted(found: Documents, entries: int) -> bool:
    """Rows in are rows out and rejected."""
    return sum(file.entries for file in found.files) == entries == len(found.records) + len(found.rejected)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("folder", ["term_data", "qa_data"])
def test_a_table_gives_the_same_records_in_every_format(
    write_documents: WriteDocuments, folder: str, name: str
) -> None:
    columns = {"question": ("Text",), "answer": ("Begriff",)} if folder == "qa_data" else {}
    config = DataConfig(columns=MAPPED.columns.model_copy(update=columns))
    found = read_documents(write_documents({f"{folder}/{name}": FORMATS[name](GERMAN)}), config)
    last = [record.pairs[-1] for record in found.records]
    asked = [(pair.question, pair.answer) for pair in last]
    texts = ['Der Preis der "Beförderung"; ohne Zoll.', "Abgabe, an der Grenze 😀."]
    if folder == "qa_data":
        assert asked == [(texts[0], "Fracht"), (texts[1], "Zoll")]
    else:
        assert [answer for _, answer in asked] == texts
    assert [item.reason for item in found.rejected] == ["no answer" if folder == "qa_data" else "no term"]
    assert _counted(found, 3)


def test_places_name_the_line_the_row_or_the_entry(write_documents: WriteDocuments) -> None:
    folder = write_documents({f"term_data/{name}": make(GERMAN) for name, make in FORMATS.items()})
    places = {item.file.split("/")[1]: item.place for item in read_documents(folder, MAPPED).rejected}
    assert places["a.json"] == "entry 2"
    assert places["a.jsonl"] == "line 3"
    assert places["a.csv"] == "line 5"  # a quoted cell of the first row has two lines
    assert places["a.parquet"] == "row 3"


@pytest.mark.parametrize("name", FORMATS)
def test_a_mapped_column_that_no_row_has_rejects_the_file_s_rows_and_names_those_there_are(
    write_documents: WriteDocuments, name: str
) -> None:
    rows: Rows = [{"Begriff": f"B{n}", "Beschreibung": f"Text {n}."} for n in range(3)]
    folder = write_documents(
        {f"term_data/{name}": FORMATS[name](rows), "term_data/z.json": [{"Begriff": "A", "Text": "Gut."}]}
    )
    found = read_documents(folder, MAPPED)
    assert {item.reason for item in found.rejected} == {
        "no description: no row has the column 'Text'; the columns are 'Begriff', 'Beschreibung'"
    }
    assert len(found.rejected) == 3
    assert _counted(found, 4)


def test_a_mapped_column_may_be_one_that_a_row_can_do_without(write_documents: WriteDocuments) -> None:
    config = DataConfig(columns=ColumnsConfig(context=("Kontext",)))
    good = {"question": "Q1?", "answer": "A", "Kontext": "Text."}
    folder = write_documents(
        {"qa_data/a.json": [{"question": "Q0?", "answer": "A"}, good], "qa_data/b.json": [good | {"Kontext": ""}],
         "qa_data/c.jsonl": '{"question": "Q2?", "answer": "A", "context": "Text."}'}
    )  # fmt: skip
    found = read_documents(folder, config)
    assert [record.text for record in found.records] == ["Q0? A", "Text.", "Q1? A"]
    assert [(item.file, item.reason) for item in found.rejected] == [
        (
            "qa_data/c.jsonl",
            "no context: no row has the column 'Kontext'; the columns are 'question', 'answer', 'context'",
        )
    ]


def test_a_recipe_maps_columns_with_or_without_a_list(tmp_path: Path) -> None:
    recipe = tmp_path / "own.yaml"
    recipe.write_text("data:\n  columns: {question: [Frage, question], answer: Antwort, id: []}\n", encoding="utf-8")
    columns = resolve(str(recipe), tmp_path).data.columns
    assert (columns.question, columns.answer, columns.id) == (("Frage", "question"), ("Antwort",), ())
    assert columns.term == ("kor_term", "term")


def test_a_recipe_cannot_leave_a_needed_column_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.columns\.answer"):
        resolve("tiny", tmp_path, overrides={"data.columns.answer": []})


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_row_of_one_id_is_rejected_with_the_place_of_the_first(
    write_documents: WriteDocuments, name: str
) -> None:
    rows: Rows = [
        {"id": 7, "term": "A", "description": "First."},
        {"id": 8, "term": "", "description": "Second."},
        {"id": 7, "term": "C", "description": "Third."},
        {"id": 8, "term": "D", "description": "Fourth."},
    ]
    folder = write_documents({f"term_data/{name}": FORMATS[name](rows)})
    found = read_documents(folder, DataConfig())
    assert [record.pairs[0].answer for record in found.records] == ["A", "D"]  # what was rejected holds no id
    reasons = [item.reason for item in found.rejected]
    assert reasons[0] == "no term"
    assert reasons[1].startswith("duplicate id '7' of ")
    assert reasons[1].split(" of ")[1] in {"entry 0", "line 1", "line 2", "row 1"}
    assert _counted(found, 4)
    unchecked = DataConfig(columns=ColumnsConfig(id=()))
    assert len(read_documents(folder, unchecked).records) == 3


@pytest.mark.parametrize("content", ["", "\n\n", "term,description\n"])
def test_a_table_without_rows_is_not_passed_over_in_silence(write_documents: WriteDocuments, content: str) -> None:
    good = {"term": "A", "description": "Good."}
    folder = write_documents({"term_data/a.csv": content, "qa_data/a.jsonl": "\n", "term_data/z.json": [good]})
    found = read_documents(folder, DataConfig())
    assert [(item.file, item.reason) for item in found.rejected] == [
        ("term_data/a.csv", "no terms"), ("qa_data/a.jsonl", "no pairs"),
    ]  # fmt: skip
    assert _counted(found, 3)


def test_parquet_that_is_none_is_told_in_one_line(write_documents: WriteDocuments) -> None:
    folder = write_documents({"term_data/a.parquet": b"PAR1 but not really PAR1"})
    with pytest.raises(UserError, match=r"term_data/a\.parquet: not Parquet \(.*\); mend or remove the file") as raised:
        read_documents(folder, DataConfig())
    assert "\n" not in str(raised.value)


def test_what_is_no_text_in_parquet_is_rejected(write_documents: WriteDocuments) -> None:
    rows: Rows = [{"question": "Q?", "answer": ["FAS", "FOB"], "context": None, "n": 1.5}]
    binary: Rows = [{"question": b"Q?", "answer": 11, "context": "Text."}, {"question": "Q?", "answer": 2.5}]
    found = read_documents(
        write_documents({"qa_data/a.parquet": _parquet(rows), "qa_data/b.parquet": _parquet(binary[:1])}), DataConfig()
    )
    assert [record.pairs[0].answer for record in found.records] == ["FAS, FOB"]
    assert [item.reason for item in found.rejected] == ["no question"]
