"""Word files (DOCX) through python-docx: paragraphs, rows of tables, text boxes and notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.sources.lines import too_long
from tradewind.sources.record import Rejected

if TYPE_CHECKING:
    from lxml.etree import _Element

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"  # what encrypted and older Word files are
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BREAKS = {f"{_W}{name}" for name in ("br", "cr", "tab")}
_NOTES = ("/word/footnotes.xml", "/word/endnotes.xml")


def blocks(path: Path, name: str, limit: int) -> Iterator[str | Rejected]:
    """A passage for every paragraph and every row of a table; headers and footers of pages are left out."""
    fault = _fault(path, limit)
    if fault:
        yield Rejected.of(name, "file", fault, "")
        return
    from docx import Document
    from docx.opc.exceptions import OpcError
    from lxml import etree

    try:
        document = Document(str(path))
        notes = [part.blob for part in document.part.package.iter_parts() if part.partname in _NOTES]
        roots = [document.element.body, *map(etree.fromstring, notes)]
    except (OpcError, KeyError, ValueError, etree.XMLSyntaxError, zipfile.BadZipFile) as error:
        yield Rejected.of(name, "file", f"broken DOCX: {error}", "")
        return
    for root in roots:
        yield from _blocks(root)


def _fault(path: Path, limit: int) -> str | None:
    """Why a file is not to be opened: XML that unpacks to a huge text is not even looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(part.file_size > limit for part in archive.infolist() if part.filename.endswith(".xml")):
                return too_long("document", limit)
    except zipfile.BadZipFile as error:
        with path.open("rb") as file:
            old = file.read(4) == _COMPOUND_FILE
        return "encrypted DOCX, or a DOC; save it as DOCX without a password" if old else f"broken DOCX: {error}"
    return None


def _blocks(element: _Element) -> Iterator[str]:
    """Texts in the document's order, through whatever encloses them (content controls, tracked insertions)."""
    for child in element.iterchildren("*"):
        if child.tag == f"{_W}p":
            yield _text(child)
            for box in child.iterdescendants(f"{_W}txbxContent"):
                if not any(above.tag == _FALLBACK for above in box.iterancestors()):
                    yield from _blocks(box)
        elif child.tag == f"{_W}tr":
            cells = (" ".join(_blocks(cell)) for cell in child.iterchildren(f"{_W}tc"))
            yield " | ".join(text for text in cells if text.strip())
        else:
            yield from _blocks(child)


def _text(paragraph: _Element) -> str:
    """What a paragraph says itself, without the boxes that are anchored in it."""
    return "".join(
        " " if node.tag in _BREAKS else node.text or ""
        for node in paragraph.iterdescendants(f"{_W}t", *_BREAKS)
        if next(node.iterancestors(f"{_W}p")) is paragraph
    )
