"""PDF files through PDFium: a passage for each page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.sources.record import Rejected

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD
# How PDFium marks a word that was divided at the end of a line.
_DIVIDED = re.compile("[\ufffe\x02]\\s*")


def pages(path: Path, name: str) -> Iterator[str | Rejected]:
    """The text of every page; a file without any, and a page that is only pictures, is told."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(path)
    except PdfiumError as error:
        locked = error.err_code == _WRONG_PASSWORD
        reason = "encrypted PDF; save it without a password" if locked else f"broken PDF: {error}"
        yield Rejected.of(name, "file", reason, "")
        return
    with document:
        textless: list[Rejected] = []
        spoke = False
        for index in range(len(document)):
            try:
                text, pictured = _page(document, index)
            except PdfiumError as error:
                yield Rejected.of(name, f"page {index + 1}", f"broken page: {error}", "")
                spoke = True
                continue
            if text.strip():
                yield text
                spoke = True
            elif pictured:
                textless.append(Rejected.of(name, f"page {index + 1}", "no text on the page, as in a scan", ""))
        if spoke:
            yield from textless
        else:
            pages = len(document)
            yield Rejected.of(name, "file", f"no text in {pages} pages, as in a scan; have it recognised (OCR)", "")


def _page(document: PdfDocument, index: int) -> tuple[str, bool]:
    """The text of a page, and whether anything is drawn on it."""
    page = document[index]
    try:
        words = page.get_textpage()
        try:
            text = _DIVIDED.sub("", words.get_text_range())
        finally:
            words.close()
        return text, next(page.get_objects(), None) is not None
    finally:
        page.close()
