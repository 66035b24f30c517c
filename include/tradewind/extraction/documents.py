"""The running text that pairs are drawn from."""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.files import sha256_of
from tradewind.sources import transcript
from tradewind.sources.folder import PAIRS, files_of
from tradewind.sources.limit import limited
from tradewind.sources.record import Passage

log = logging.getLogger("tradewind")
_FOLDER = "transcript_data"


def unextracted(data_dir: Path, config: DataConfig) -> list[Passage]:
    """The passages of every text whose pairs are not there already; how many texts are left out is logged.

    Raises:
        UserError: as `transcript.read` does.
    """
    done = have_pairs(data_dir)
    if done:
        count = len({name for _, name in files_of(data_dir, _FOLDER)})
        log.info("extract: %d of %d texts have their pairs in %s and are left out", len(done), count, PAIRS)
    read = limited(transcript.read(data_dir, config), config.max_records)
    found = (item for item in read if isinstance(item, Passage))
    return [passage for passage in found if passage.file not in done]


def have_pairs(data_dir: Path) -> set[str]:
    """The texts whose pairs are there already.

    The pairs of `lecture.txt` stand in `success/lecture.txt.jsonl`, or in `success/lecture.jsonl` where no other
    text is called `lecture`: of two, none is left out, since one file cannot tell whose pairs it holds.
    """
    texts = {name for _, name in files_of(data_dir, _FOLDER)}
    return _named(texts, {_composed(path.stem) for path, _ in files_of(data_dir, PAIRS)})


def _named(texts: set[str], pairs: set[str]) -> set[str]:
    """The texts that a file of pairs is named after."""
    whole = {_composed(Path(name).name): name for name in texts}
    done = {name for full, name in whole.items() if full in pairs}
    by_stem: dict[str, list[str]] = {}
    for name in sorted(texts):
        by_stem.setdefault(_composed(Path(name).stem), []).append(name)
    for stem in sorted((by_stem.keys() & pairs) - whole.keys()):
        named = by_stem[stem]
        if len(named) == 1:
            done.add(named[0])
        elif not done.issuperset(named):
            log.warning(
                "%s/%s.jsonl: leaves out none of %s, each of which it may belong to; name it %s.jsonl after its text",
                PAIRS, stem, ", ".join(named), Path(named[0]).name,
            )  # fmt: skip
    return done


def _composed(name: str) -> str:
    """A file's name as other systems write it: some take Korean syllables apart."""
    return unicodedata.normalize("NFC", name)


def texts(data_dir: Path) -> list[Path]:
    """Every file among the texts, pairs that are there already included."""
    return sorted(path for path in (data_dir / _FOLDER).rglob("*") if path.is_file())


def digest(data_dir: Path, hash_of: Callable[[Path], str] = sha256_of) -> str:
    """A hash of the names and bytes of all texts, so that pairs drawn from others are told apart.

    Args:
        hash_of: reads a file, or knows its hash.
    """
    lines = [f"{path.relative_to(data_dir).as_posix()} {hash_of(path)}\n" for path in texts(data_dir)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
