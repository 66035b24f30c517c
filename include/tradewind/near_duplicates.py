"""Questions that are the same but for a letter or two, found before the split so that none crosses it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tradewind.sources.record import Pair

_SHINGLE = 5
_PERMUTATIONS = 128
_RECALL = 0.9999


@dataclass(frozen=True)
class Duplicate:
    """`pair` asks what the earlier `of` asks."""

    pair: Pair
    of: Pair


def normalise(text: str) -> str:
    """Compatibility-composed, case-folded, letters and digits only, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def shingles(text: str) -> frozenset[str]:
    """The character 5-grams of the normalised text; a shorter text is its own shingle."""
    plain = normalise(text)
    return frozenset(plain[at : at + _SHINGLE] for at in range(max(1, len(plain) - _SHINGLE + 1)))


def near_duplicates(pairs: Iterable[Pair], threshold: float) -> Iterator[Duplicate]:
    """Yield each pair whose stem is the same as, or nearly that of, a pair before it.

    Near means a Jaccard similarity of character 5-grams of `threshold` or more and the same numbers
    in the same order ("a 20-foot container" is not "a 40-foot container"). Candidates come from
    MinHash with locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of Massive Datasets,
    ch. 3), so the time grows with the number of pairs, not with its square; each is then checked exactly.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=_PERMUTATIONS, params=_bands(threshold))
    kept: dict[str, tuple[Pair, frozenset[str]]] = {}
    exact: dict[str, Pair] = {}
    for pair in pairs:
        plain = normalise(pair.stem)
        if plain in exact:
            yield Duplicate(pair, exact[plain])
            continue
        grams = shingles(pair.stem)
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch([gram.encode() for gram in grams])
        twin = None
        for candidate in sorted(index.query(sketch)):
            other, other_grams = kept[candidate]
            similarity = len(grams & other_grams) / len(grams | other_grams)
            if similarity >= threshold and _numbers(pair.stem) == _numbers(other.stem):
                twin = other
                break
        if twin is not None:
            yield Duplicate(pair, twin)
            continue
        exact[plain] = pair
        kept[pair.pair_id] = (pair, grams)
        index.insert(pair.pair_id, sketch)


def _bands(threshold: float) -> tuple[int, int]:
    """Bands and rows of the index: the most rows (fewest candidates) that still find nearly every pair.

    A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands (Leskovec et al., 3.4.2).
    """
    for rows in range(8, 1, -1):
        bands = _PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return _PERMUTATIONS, 1


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)
