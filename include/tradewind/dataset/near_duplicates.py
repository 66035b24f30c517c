"""Questions that are the same but for a letter or two, found before the split so that none crosses it.

Near means a Jaccard similarity of character 5-grams of the threshold or more and the same numbers in the same order
("a 20-foot container" is not "a 40-foot container"). Candidates come from MinHash with locality-sensitive hashing
(Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3); each is then checked exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count

import numpy as np
import numpy.typing as npt

from tradewind.texts import Array, Hashes, Texts

_SLOTS = 64
_ROWS = 5
"""With 4 (36 slots for a threshold of 0.9) ten times as many questions of one template had to be checked exactly."""
_RECALL = 0.9999
_NEIGHBOURS = 8
"""With how many others of a bucket a question is compared, which bounds the work for questions of one template."""
_PAIRS_AT_ONCE = 256
_DOUBT = 4.0  # standard deviations of an estimated similarity


class NearDuplicates:
    """Sketches of questions, added in order, and the search for those that repeat an earlier one.

    The work grows with the number of questions, not with its square: where more than `_NEIGHBOURS` + 1 share a
    bucket, as where thousands follow one template, the bucket is divided by the next band's key, as often as there
    are bands (an LSH forest, Bawa et al. 2005), and what is still larger compares each question with its
    `_NEIGHBOURS` predecessors only. So no question is compared with more than bands x 2 x `_NEIGHBOURS` others.
    A pair at the threshold is found with a probability of 0.9999 where buckets are not divided.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._bands, self._rows = _bands(threshold)
        # Two bits of a slot differ in three of four slots that differ; b-bit minwise hashing, Li and König 2010.
        expected, slots = 0.75 * (1 - threshold), self._bands * self._rows
        self._most_apart = slots * expected + _DOUBT * (slots * expected * (1 - expected)) ** 0.5
        self._hashes: list[Hashes] = []
        self._wholes: list[Hashes] = []
        self._keys: list[npt.NDArray[np.uint32]] = []
        self._sketches: list[Hashes] = []

    def add(self, texts: Texts, wholes: Hashes) -> None:
        """Sketch the next questions.

        Args:
            texts: what they are judged by: the questions without their templates.
            wholes: hashes of the questions as they are asked: two templates can be filled to the same text.
        """
        digests = min_hashes(texts, self._bands * self._rows)
        numbers = texts.numbers()
        self._hashes.append(texts.hashes)
        self._wholes.append(wholes)
        self._keys.append(_band_keys(digests.reshape(self._rows, self._bands, -1), numbers))
        self._sketches.append(_two_bits(digests))

    def find(self, question: Callable[[int], str]) -> Array:
        """For each question the first earlier one that it repeats and that repeats none itself, or -1.

        Args:
            question: gives the text of the n-th, for the exact check of candidates.
        """
        if not self._hashes:
            return np.empty(0, np.int64)
        same = _first(self._hashes)
        near = self._near(np.flatnonzero(same == np.arange(len(same))), question)
        twin = near[same]  # what is the same as a near-duplicate repeats what that one does
        exact = (twin < 0) & (same != np.arange(len(same)))
        twin[exact] = same[exact]
        return _rooted(twin, _first(self._wholes))

    def _near(self, members: Array, question: Callable[[int], str]) -> Array:
        keys = np.concatenate(self._keys, axis=1)
        self._keys.clear()
        sketches = np.concatenate(self._sketches, axis=1)
        self._sketches.clear()
        likely = [np.empty(0, np.int64)]
        for one, other in _candidates(keys, members):
            apart = (sketches[0, one] ^ sketches[0, other]) | (sketches[1, one] ^ sketches[1, other])
            alike = np.bitwise_count(apart) <= self._most_apart
            likely.append(one[alike] << 32 | other[alike])
        pairs = np.unique(np.concatenate(likely))
        one, other = pairs >> 32, pairs & 0xFFFFFFFF
        sure = np.zeros(len(pairs), np.bool_)
        for at in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = slice(at, at + _PAIRS_AT_ONCE)
            similar = similarities(*([question(index) for index in side[part].tolist()] for side in (one, other)))
            sure[part] = similar >= self._threshold
        one, other = one[sure], other[sure]
        order = np.lexsort((one, other))
        near = np.full(keys.shape[1], -1, np.int64)
        for earlier, later in zip(one[order].tolist(), other[order].tolist(), strict=True):
            if near[later] < 0 and near[earlier] < 0:
                near[later] = earlier
        return near


def _first(hashes: list[Hashes]) -> Array:
    """For each question the first one of its hash; empties the list."""
    _, first, inverse = np.unique(np.concatenate(hashes), return_index=True, return_inverse=True)
    hashes.clear()
    found: Array = first[inverse]
    return found


def _rooted(twin: Array, asked: Array) -> Array:
    """The twins, with each question that is asked like an earlier one as its twin; no twin has a twin itself.

    Args:
        twin: an earlier question, or -1.
        asked: the first question that is asked in the same words.
    """
    again = (twin < 0) & (asked != np.arange(len(asked)))
    twin[again] = asked[again]
    while True:
        further = np.where(twin >= 0, twin[twin], -1)
        if not (further >= 0).any():
            return twin
        twin = np.where(further >= 0, further, twin)


def similarities(ones: Sequence[str], others: Sequence[str]) -> npt.NDArray[np.float64]:
    """The Jaccard similarity of the 5-grams of each text with those of its counterpart."""
    grams, first = Texts.of([*ones, *others]).shingles()
    owner = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(grams))))
    pair, side = owner % len(ones), owner // len(ones)
    # By pair, then gram, then side; the pair takes 15 bits, the side one, what is left of the gram 48.
    keys = pair.astype(np.uint64) << np.uint64(49) | grams >> np.uint64(16) << np.uint64(1) | side.astype(np.uint64)
    keys.sort()
    keys = keys[np.append([True], keys[1:] != keys[:-1])]
    either = keys[np.append([True], keys[1:] >> np.uint64(1) != keys[:-1] >> np.uint64(1))]
    count, union = (
        np.bincount((found >> np.uint64(49)).astype(np.int64), minlength=len(ones)) for found in (keys, either)
    )
    similar: npt.NDArray[np.float64] = (count - union) / union
    return similar


def min_hashes(texts: Texts, count: int) -> npt.NDArray[np.uint32]:
    """The MinHash digests of datasketch's scheme "affine32", one column a text, for all texts at once."""
    grams, first = texts.shingles()
    hashes = _premixed((grams >> np.uint64(32)).astype(np.uint32))
    permuted = np.empty_like(hashes)
    digests = np.empty((count, len(first)), np.uint32)
    for slot, (factor, term) in enumerate(_permutations(count)):
        np.multiply(hashes, factor, out=permuted)
        np.add(permuted, term, out=permuted)
        np.minimum.reduceat(permuted, first, out=digests[slot])
    return digests


def _two_bits(digests: npt.NDArray[np.uint32]) -> Hashes:
    """The last two bits of up to 64 slots, as two numbers a text."""
    low = np.zeros((digests.shape[1], 64), np.uint8)
    low[:, : len(digests)] = digests.T
    return np.stack([np.packbits(low & bit, axis=1).view(np.uint64)[:, 0] for bit in (np.uint8(1), np.uint8(2))])


def _premixed(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """MurmurHash3's finalizer, which datasketch applies before its permutations."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashes ^= hashes >> np.uint32(shift)
        hashes *= np.uint32(factor)
    hashes ^= hashes >> np.uint32(16)
    return hashes


def _band_keys(digests: npt.NDArray[np.uint32], numbers: Hashes) -> npt.NDArray[np.uint32]:
    """One key for each band's rows and the text's numbers.

    Args:
        digests: rows x bands x texts.
    """
    keys = np.broadcast_to(numbers, digests.shape[1:]).copy()
    for row in digests:
        keys ^= row
        keys *= np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(16)).astype(np.uint32)


def _candidates(keys: npt.NDArray[np.uint32], members: Array) -> Iterator[tuple[Array, Array]]:
    """Pairs of members, the earlier first, that share a band's key; some several times.

    Args:
        keys: one row a band, one column a question.
    """
    bands = len(keys)
    for band in range(bands):
        left, key = members, keys[band, members].astype(np.uint64)
        for depth in range(1, bands + 1):
            left, key, size = _buckets(left, key)
            large = size > (_NEIGHBOURS + 1 if depth < bands else len(left))
            yield from _neighbours(left[(size > 1) & ~large], key[(size > 1) & ~large])
            left, key = left[large], key[large]
            if not len(left):
                break
            key = (key * np.uint64(0x9E3779B1) ^ keys[(band + depth) % bands, left]) & np.uint64(0xFFFFFFFF)


def _buckets(members: Array, key: Hashes) -> tuple[Array, Hashes, Array]:
    """Members and their 32-bit keys, sorted by key, with the size of each one's bucket."""
    packed = np.sort(key << np.uint64(32) | members.astype(np.uint64))
    members, key = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64), packed >> np.uint64(32)
    first = np.flatnonzero(np.diff(key, prepend=~key[:1]))
    size = np.diff(first, append=len(key))
    return members, key, np.repeat(size, size)


def _neighbours(members: Array, key: Hashes) -> Iterator[tuple[Array, Array]]:
    """Each member with the next `_NEIGHBOURS` of its bucket."""
    for distance in range(1, min(_NEIGHBOURS, len(members) - 1) + 1):
        same = key[distance:] == key[:-distance]
        if not same.any():
            return
        yield members[:-distance][same], members[distance:][same]


@cache
def _permutations(count: int) -> list[tuple[np.uint32, np.uint32]]:
    """As datasketch draws them: its own import brings scipy.optimize and a client of Redis, a quarter of a second."""
    drawn = np.random.RandomState(1)
    factors = drawn.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return list(zip(factors, drawn.randint(0, 1 << 32, count, dtype=np.uint32), strict=True))


@cache
def _bands(threshold: float) -> tuple[int, int]:
    """Bands and rows of the index: the most rows (fewest candidates), and as few bands as find nearly every pair.

    A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands (Leskovec et al., 3.4.2).
    """
    for rows in range(_ROWS, 1, -1):
        bands = next(bands for bands in count(1) if 1 - (1 - threshold**rows) ** bands >= _RECALL)
        if bands * rows <= _SLOTS:
            return bands, rows
    return _SLOTS, 1
