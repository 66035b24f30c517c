"""What a model was shown in its trainings, as keys: tonight's held-out question may be what it learnt last week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tradewind.errors import UserError
from tradewind.files import iter_jsonl
from tradewind.text_keys import text_key
from tradewind.texts import Hashes

EXPOSURE = "exposure.npz"


@dataclass(frozen=True)
class Exposure:
    """Keys (`text_key`) in ascending order; 8 bytes for each question and each text."""

    questions: Hashes
    """That it was trained to answer."""
    contexts: Hashes
    """Texts of the records that those questions are about."""
    texts: Hashes
    """That it read in adaptation."""

    @classmethod
    def of(cls, prepare_dir: Path, *, adapted: bool) -> Exposure:
        """Of a model trained on what `prepare` published.

        Args:
            adapted: whether it was trained on the running text, too.
        """
        questions, contexts = set[int](), set[int]()
        for row in iter_jsonl(prepare_dir / "train.jsonl"):
            questions.add(text_key(row["question"]))
            contexts.add(text_key(row["context"]))
        texts = {text_key(row["text"]) for row in iter_jsonl(prepare_dir / "corpus.jsonl")} if adapted else set[int]()
        return cls(*(np.array(sorted(keys), np.uint64) for keys in (questions, contexts, texts)))

    def write(self, path: Path) -> None:
        """Keep it as a file of numpy's; the same keys give the same bytes."""
        np.savez(path, questions=self.questions, contexts=self.contexts, texts=self.texts)

    @classmethod
    def read(cls, path: Path) -> Exposure:
        """What `write` kept; UserError where that is not there or damaged."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                return cls(kept["questions"], kept["contexts"], kept["texts"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise UserError(f"{path}: cannot be read ({type(error).__name__}); promote another version") from error

    def knows(self, item: Mapping[str, Any]) -> bool:
        """Whether a row of `heldout.jsonl` is no held-out question of its kind for this model.

        A *reworded* question may have its fact trained on, but not its wording; of a *read* one the text may be
        read, but no question about it learnt; an *unseen* one may not be met at all.
        """
        if _has(self.questions, text_key(item["question"])):
            return True
        context = text_key(item["context"])
        if item["kind"] in ("read", "unseen") and _has(self.contexts, context):
            return True
        return item["kind"] == "unseen" and _has(self.texts, context)


def _has(keys: Hashes, key: int) -> bool:
    place = int(np.searchsorted(keys, np.uint64(key)))
    return place < len(keys) and int(keys[place]) == key
