"""Where documents are: a folder, or the samples that the package carries."""

from __future__ import annotations

from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import path_of

EMBEDDED = "embedded:"
DEFAULT_DATA = f"{EMBEDDED}en"
"""The English samples."""
SAMPLES = Path(__file__).parents[1] / "samples"
_LANGUAGES = ("en", "ko")


def absolute(data: str | Path) -> str:
    """The name that a configuration keeps: `embedded:en` as it is, so that it means the same in every container."""
    return str(data) if str(data).startswith(EMBEDDED) else str(path_of(str(data)).resolve())


def locate_documents(data: str) -> Path:
    """The folder behind `absolute`'s name; UserError for samples that do not exist."""
    if not data.startswith(EMBEDDED):
        return Path(data)
    name = data.removeprefix(EMBEDDED)
    if name not in _LANGUAGES:
        known = ", ".join(f"{EMBEDDED}{language}" for language in _LANGUAGES)
        raise UserError(f"data '{data}': unknown; embedded are {known}")
    return SAMPLES / name


def check_folder(data_dir: Path) -> None:
    """UserError where documents cannot lie there."""
    if data_dir.is_file():
        raise UserError(
            f"{data_dir}: is a file; put it into term_data/, qa_data/ or another folder of those that are read, "
            "and name the folder above that one with --data"
        )
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; name the folder of your documents with --data")
