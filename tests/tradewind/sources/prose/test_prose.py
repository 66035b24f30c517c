"""Running text out of plain text, Markdown, PDF and Word files; what cannot be read is told with its reason."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from matplotlib import pyplot as plt
from matplotlib.backends.backend_pdf import PdfPages

from collected import Documents
from tradewind.config import DataConfig
from tradewind.sources import transcript

DOCUMENTS = Path(__file__).parent / "documents"
Read = Callable[..., Documents]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read `transcript_data` of the test's folder, after a file with this content is written."""

    def read(name: str, content: bytes | str, config: DataConfig | None = None) -> Documents:
        path = tmp_path / "transcript_data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Documents.collect(transcript.read(tmp_path, config or DataConfig()))

    return read


def _texts(found: Documents) -> list[str]:
    return [passage.text for passage in found.passages]


def _reason(found: Documents) -> str:
    assert not found.passages
    (rejected,) = found.rejected
    assert rejected.place == "file"
    return rejected.reason


# Plain text


def test_a_passage_that_is_too_long_is_rejected_and_the_others_are_kept(read: Read) -> None:
    config = DataConfig(max_line_bytes=1024)
    text = "First.\n\n" + "x" * 3000 + "\nmore\n\n" + "line of text\n" * 100 + "\n" + "Last\r\nbut one.\r\n\r\nLast."
    found = read("a.txt", text, config)
    assert _texts(found) == ["First.", "Last but one.", "Last."]
    assert [(item.place, item.reason) for item in found.rejected] == [
        (place, "passage of more than 1024 bytes (data.max_line_bytes)") for place in ("line 3", "line 6")
    ]


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_text_with_nothing_in_it_is_told(read: Read, name: str, content: str) -> None:
    assert _reason(read(name, content)) == "no text"


# Markdown

MARKDOWN = """---
title: not text
---
Letters of *credit*
===================

A **bank** [promises](https://example.org "title") to pay &amp; keeps `documents`.
Second line.<br>Third ![a ship](ship.png)

- one
- two
  > quoted

| term | meaning |
|------|---------|
| FOB  | free on ~~board~~ |

```python
code = "kept"
```

<!-- a comment -->
<div>In a <b>block</b> of HTML</div>
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_markdown_is_its_text_without_the_markup(read: Read, end: str) -> None:
    assert _texts(read("a.md", MARKDOWN.replace("\n", end))) == [
        "Letters of credit",
        "A bank promises to pay & keeps documents. Second line. Third a ship",
        "one two quoted",
        "term meaning FOB free on board",
        'code = "kept"',
        "In a block of HTML",
    ]


def test_a_markdown_document_that_is_too_long_is_rejected(read: Read) -> None:
    assert "document of more than 1024" in _reason(read("a.md", "word " * 300, DataConfig(max_line_bytes=1024)))


# PDF


def _pdf(path: Path, *texts: str | None) -> bytes:
    """A page for each text; None is a page with a picture alone, an empty text an empty page."""
    with plt.rc_context({"pdf.fonttype": 42}), PdfPages(path) as pdf:
        for text in texts:
            figure = plt.figure()
            figure.patch.set_visible(False)
            if text is None:
                figure.figimage([[0.0, 1.0], [1.0, 0.0]])
            else:
                figure.text(0.1, 0.5, text)
            pdf.savefig(figure)
            plt.close(figure)
    return path.read_bytes()


def test_every_page_of_a_pdf_is_a_passage(read: Read, tmp_path: Path) -> None:
    content = _pdf(tmp_path / "made.pdf", "A letter of credit is a prom-\nise of a bank.", "", "It pays.")
    found = read("a.PDF", content)
    assert _texts(found) == ["A letter of credit is a promise of a bank.", "It pays."]
    assert not found.rejected  # an empty page holds nothing


def test_a_korean_pdf_is_read(read: Read) -> None:
    found = read("a.pdf", (DOCUMENTS / "korean.pdf").read_bytes())
    assert _texts(found) == ["신용장은 은행의 지급 확약이다. 서류가 맞으면 은행이 지급한다."]


def test_a_page_that_is_a_picture_among_pages_of_text_is_told(read: Read, tmp_path: Path) -> None:
    found = read("a.pdf", _pdf(tmp_path / "made.pdf", "First page.", None, "Third page."))
    assert _texts(found) == ["First page.", "Third page."]
    assert [(item.place, item.reason) for item in found.rejected] == [("page 2", "no text on the page, as in a scan")]


def test_a_scanned_pdf_is_rejected_whole(read: Read, tmp_path: Path) -> None:
    reason = _reason(read("a.pdf", _pdf(tmp_path / "made.pdf", None, None)))
    assert reason == "no text in 2 pages, as in a scan; have it recognised (OCR)"


def test_an_encrypted_pdf_is_rejected_with_what_to_do(read: Read) -> None:
    assert _reason(read("a.pdf", (DOCUMENTS / "locked.pdf").read_bytes())).startswith("encrypted PDF; save it without")


@pytest.mark.parametrize("keep", [0, 5, 300])
def test_a_broken_pdf_is_rejected_and_the_other_files_are_read(read: Read, tmp_path: Path, keep: int) -> None:
    read("good.txt", "Good.")
    found = read("a.pdf", _pdf(tmp_path / "made.pdf", "Lost.")[:keep])
    assert _texts(found) == ["Good."]
    assert [item.reason[:11] for item in found.rejected] == ["broken PDF:"]


# Word

TEXT_BOX = f"""<w:r {nsdecls("w")} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">
<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p>
</w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p>
</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"""
CONTROL = f"""<w:sdt {nsdecls("w")}><w:sdtContent><w:p><w:ins w:id="1" w:author="a"><w:r><w:t>In a control.</w:t></w:r>
</w:ins><w:del w:id="2" w:author="a"><w:r><w:delText>Struck.</w:delText></w:r></w:del></w:p></w:sdtContent></w:sdt>"""


def _docx(path: Path) -> bytes:
    document = Document()
    document.add_heading("Letters of credit")
    document.add_paragraph("A bank\tpromises to ").add_run("pay. 신용장").bold = True
    table = document.add_table(rows=2, cols=3)
    for place, text in enumerate(("FOB", "free on board", "sea", "CIF", "cost, insurance, freight", "sea")):
        table.cell(*divmod(place, 3)).text = text
    table.cell(0, 1).add_table(rows=1, cols=1).cell(0, 0).text = "inner"
    table.cell(1, 1).merge(table.cell(1, 2))
    document.add_paragraph("")
    document.add_paragraph("With a box.")._p.append(parse_xml(TEXT_BOX))
    document.element.body.insert_element_before(parse_xml(CONTROL), "w:sectPr")
    document.save(str(path))
    return path.read_bytes()


def test_a_word_file_gives_paragraphs_tables_boxes_and_what_is_within_controls(read: Read, tmp_path: Path) -> None:
    assert _texts(read("a.docx", _docx(tmp_path / "made.docx"))) == [
        "Letters of credit",
        "A bank promises to pay. 신용장",
        "FOB | free on board inner | sea",
        "CIF | cost, insurance, freight sea",
        "With a box.",
        "In a box.",
        "In a control.",
    ]


def test_notes_of_a_word_file_are_read(read: Read, tmp_path: Path) -> None:
    said = "<w:p><w:r><w:t>A note.</w:t></w:r></w:p>"
    note = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2">{said}</w:footnote></w:footnotes>'
    made = tmp_path / "made.docx"
    _docx(made)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(tmp_path / "noted.docx", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/_rels/document.xml.rels":
                link = f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'
                content = content.replace(b"</Relationships>", link.encode())
            new.writestr(name, content)
        new.writestr("word/footnotes.xml", note)
    assert _texts(read("a.docx", (tmp_path / "noted.docx").read_bytes()))[-1] == "A note."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken DOCX: "),
        (b"not a zip", "broken DOCX: "),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted DOCX, or a DOC; save it"),
    ],
)
def test_what_is_no_word_file_is_rejected_with_its_reason(read: Read, content: bytes, reason: str) -> None:
    assert _reason(read("a.docx", content)).startswith(reason)


@pytest.mark.parametrize("damage", ["cut", "no document", "broken xml", "another kind"])
def test_a_damaged_word_file_is_rejected(read: Read, tmp_path: Path, damage: str) -> None:
    whole = _docx(tmp_path / "made.docx")
    if damage == "cut":
        content = whole[: len(whole) // 2]
    else:
        broken = tmp_path / "broken.docx"
        with zipfile.ZipFile(tmp_path / "made.docx") as old, zipfile.ZipFile(broken, "w") as new:
            for name in old.namelist():
                part = old.read(name)
                if name == "word/document.xml":
                    if damage == "no document":
                        continue
                    part = part[:200] if damage == "broken xml" else part
                if damage == "another kind":
                    part = part.replace(b"wordprocessingml.document.main", b"spreadsheetml.sheet.main")
                new.writestr(name, part)
        content = broken.read_bytes()
    assert _reason(read("a.docx", content)).startswith("broken DOCX: ")


def test_a_word_file_that_unpacks_to_more_than_the_limit_is_not_unpacked(read: Read, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.docx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", " " * 2_000_000)
    reason = _reason(read("a.docx", bomb.read_bytes(), DataConfig(max_line_bytes=1_000_000)))
    assert reason == "document of more than 1000000 bytes (data.max_line_bytes)"


def test_what_is_rejected_of_a_text_is_accounted_for(read: Read, tmp_path: Path) -> None:
    read("a.pdf", _pdf(tmp_path / "made.pdf", "Text.", None))
    read("b.docx", b"")
    found = read("c.txt", "Text.")
    assert {file.name.split("/")[1]: file.entries for file in found.files} == {"a.pdf": 1, "b.docx": 1, "c.txt": 0}
