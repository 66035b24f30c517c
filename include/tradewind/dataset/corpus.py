"""The running texts that adaptation may read: all but what the *unseen* records say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from tradewind.dataset.catalogue import Catalogue, Text, encode_line
from tradewind.dataset.lines import Lines
from tradewind.dataset.split import Split
from tradewind.texts import SENTENCE_END, Array, Hashes, Texts

_TOLD = 0.8
_TEXTS_AT_ONCE = 1024
_GRAMS_AT_ONCE = 1 << 22


def write_corpus(catalogue: Catalogue, split: Split, target: Path) -> int:
    """Write the corpus to `target`; of equal texts (case, punctuation and width aside) the first. Returns how many.

    Ends `catalogue.texts`, whose file becomes the target.

    The other records' texts stay whole: one that holds a sentence of an unseen record is unseen
    with it. Raw transcripts repeat what their records say, word for word or nearly so:
    of them every sentence goes of which four fifths (by character 5-grams) stand in one unseen text.
    """
    shown = np.flatnonzero(~split.is_unseen)
    hashes, first = np.unique(catalogue.text_hashes[shown], return_index=True)
    is_first = np.zeros(catalogue.n_records, np.bool_)
    is_first[shown[first]] = True
    passages = _passages(catalogue, split, hashes) if len(catalogue.passages) else iter(())
    count = len(hashes)
    catalogue.texts.move(target, is_first)
    with target.open("ab") as file:
        for text in passages:
            file.write(encode_line(Text(text)))
            count += 1
    return count


def _passages(catalogue: Catalogue, split: Split, hashes: Hashes) -> Iterator[str]:
    """What may be read of the passages, save what has one of these hashes; reads `catalogue.texts` at once."""
    secrets, told = _Secrets(catalogue, split), set(hashes.tolist())

    def shown() -> Iterator[str]:
        for line in catalogue.passages:
            sentences = SENTENCE_END.split(_text(line))
            text = " ".join(compress(sentences, ~secrets.tells(sentences)))
            (hashed,) = Texts.of([text]).hashes.tolist()
            if text and hashed not in told:
                told.add(hashed)
                yield text

    return shown()


class _Secrets:
    """The 5-grams of unseen records that passages hold too, each with the records that have it."""

    def __init__(self, catalogue: Catalogue, split: Split) -> None:
        wanted = _grams_of(catalogue.passages)
        found = [(np.empty(0, np.uint64), np.empty(0, np.int64))]
        unseen = np.flatnonzero(split.is_unseen)
        for at in range(0, len(unseen), _TEXTS_AT_ONCE):
            records = unseen[at : at + _TEXTS_AT_ONCE]
            grams, first = Texts.of([_text(catalogue.texts[record]) for record in records.tolist()]).shingles()
            owners = np.repeat(records, np.diff(np.append(first, len(grams))))
            known = _is_in(grams, wanted)
            found.append(_distinct(grams[known], owners[known]))
        grams, owners = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((owners, grams))
        self._grams, self._owners = grams[order], owners[order]

    def tells(self, sentences: list[str]) -> npt.NDArray[np.bool_]:
        """Which sentences stand in one unseen text by four fifths of their 5-grams or more."""
        grams, first = Texts.of(sentences).shingles()
        return np.array([self._tells(np.unique(part)) for part in np.split(grams, first[1:])])

    def _tells(self, grams: Hashes) -> bool:
        start, end = (np.searchsorted(self._grams, grams, side) for side in ("left", "right"))
        needed = int(np.ceil(_TOLD * len(grams)))
        # A text that has `needed` of the 5-grams has one of the rarest others: only those texts are looked at.
        rarest = np.argsort(end - start, kind="stable")[: len(grams) - needed + 1]
        candidates = np.unique(_joined(self._owners, start[rarest], end[rarest]))
        if not len(candidates):
            return False
        holders = _joined(self._owners, start, end)
        places = np.searchsorted(candidates, holders).clip(max=len(candidates) - 1)
        return bool(np.bincount(places[candidates[places] == holders]).max() >= needed)


def _grams_of(passages: Lines) -> Hashes:
    """All 5-grams of the passages, in order."""
    known, new = np.empty(0, np.uint64), [np.empty(0, np.uint64)]
    for line in passages:
        new.append(Texts.of([_text(line)]).shingles()[0])
        if sum(map(len, new)) > _GRAMS_AT_ONCE:
            known, new = np.unique(np.concatenate([known, *new])), []
    return np.unique(np.concatenate([known, *new]))


def _text(line: bytes) -> str:
    return msgspec.json.decode(line, type=Text).text


def _is_in(values: Hashes, ordered: Hashes) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[places] == values
    return found


def _distinct(grams: Hashes, owners: Array) -> tuple[Hashes, Array]:
    """Each 5-gram of an owner once."""
    order = np.lexsort((grams, owners))
    grams, owners = grams[order], owners[order]
    new = np.ones(len(grams), np.bool_)
    new[1:] = (grams[1:] != grams[:-1]) | (owners[1:] != owners[:-1])
    return grams[new], owners[new]


def _joined(values: Array, start: Array, end: Array) -> Array:
    """The slices `values[start:end]` one after the other."""
    length = end - start
    joined: Array = values[np.repeat(start - (np.cumsum(length) - length), length) + np.arange(length.sum())]
    return joined
