"""Which pairs are trained on, and which are held out as *reworded*, *read* or *unseen* (see `kinds`)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tradewind.config import SplitConfig
from tradewind.dataset.catalogue import Catalogue, Stratum
from tradewind.dataset.split_advice import proposal
from tradewind.errors import UserError
from tradewind.kinds import KINDS, Kind
from tradewind.texts import Array, Hashes

TRAIN = len(KINDS)
DROPPED = -1


@dataclass(frozen=True)
class Split:
    """Pairs by their use, for a catalogue of n records with m pairs."""

    use_of: npt.NDArray[np.int8]
    """m: an index into `KINDS`, or `TRAIN`, or `DROPPED` for a near-duplicate."""
    is_unseen: npt.NDArray[np.bool_]
    """n: whether a record's text is kept from adaptation."""

    def heldout(self) -> dict[Kind, int]:
        """How many pairs are held out of each kind."""
        return {kind: int(np.count_nonzero(self.use_of == code)) for code, kind in enumerate(KINDS)}

    @property
    def train(self) -> int:
        """How many pairs are trained on."""
        return int(np.count_nonzero(self.use_of == TRAIN))

    @property
    def pairs(self) -> int:
        """How many pairs have a use."""
        return int(np.count_nonzero(self.use_of != DROPPED))


def split_pairs(catalogue: Catalogue, config: SplitConfig, seed: int) -> Split:
    """Assign the pairs of each group of related records together, by their texts and `seed`.

    Records are related when they share a sentence, a term or a near-duplicate question. Shares are
    taken within each source and language, so that each kind holds questions of each source; only
    records without a text of their own, such as exam questions, are never *read*. Who is held out is drawn by a
    hash of the text: documents that are added leave nearly all others where they were, so that the model of
    last night has not learnt what is held out tonight.

    Raises:
        UserError: kinds that the recipe asks for have fewer questions than `split.min_items`; the line
            holds shares that do for these documents, where there are some.
    """
    groups = _groups(catalogue)
    split = _assigned(catalogue, groups, config, seed)
    if not split.train:
        raise UserError("split: no pair is left to train on; lower split.read and split.unseen")
    small = _too_small(catalogue, split, config)
    if small:

        def does(other: SplitConfig) -> bool:
            found = _assigned(catalogue, groups, other, seed)
            return 2 * found.train >= found.pairs and not _too_small(catalogue, found, other)

        raise UserError(_complaint(config, small, proposal(config, small, does), split.pairs, len(groups[0])))
    return split


Groups = tuple[Array, Array]
"""Each group's first record, in order, and the group of each record."""


def _assigned(catalogue: Catalogue, groups: Groups, config: SplitConfig, seed: int) -> Split:
    first, group_of = groups
    readable = np.ones(len(first), np.bool_)
    own = np.array([stratum.has_own_text for stratum in catalogue.strata], np.bool_)
    readable[group_of[~own[catalogue.stratum_of]]] = False
    use_of_group = np.full(len(first), TRAIN, np.int8)
    # A group goes by one of its texts; the least of its members' lots would favour large groups.
    named = np.full(len(first), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(named, group_of, catalogue.text_hashes)
    lot = _drawn(named, f"{seed}")
    for stratum, members in _by_stratum(catalogue, first):
        shuffled = members[np.argsort(lot[members], kind="stable")]
        unseen = round(len(members) * config.unseen)
        read = round(len(members) * config.read) if stratum.has_own_text else 0
        left = shuffled[unseen:]
        use_of_group[shuffled[:unseen]] = KINDS.index("unseen")
        use_of_group[left[readable[left]][:read]] = KINDS.index("read")
    use_of_record = use_of_group[group_of]
    use_of = np.where(catalogue.twin_of < 0, use_of_record[catalogue.record_of], DROPPED).astype(np.int8)
    use_of[_wordings(catalogue, use_of, config.reworded, seed)] = KINDS.index("reworded")
    return Split(use_of, use_of_record == KINDS.index("unseen"))


def _groups(catalogue: Catalogue) -> Groups:
    hashes, records = catalogue.ties
    order = np.argsort(hashes)
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    twins = np.flatnonzero(catalogue.twin_of >= 0)
    one = np.concatenate([records[order[same]], catalogue.record_of[twins]])
    other = np.concatenate([records[order[same + 1]], catalogue.record_of[catalogue.twin_of[twins]]])
    n = catalogue.n_records
    related = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(n, n))
    n_groups, group_of = connected_components(related, directed=False)
    first = np.empty(n_groups, np.int64)
    first[group_of[::-1]] = np.arange(n)[::-1]  # of several values for one place the last stays
    return first, group_of


def _wordings(catalogue: Catalogue, use_of: npt.NDArray[np.int8], share: float, seed: int) -> Array:
    """One wording each of a share of the facts that are trained on in several."""
    trained = np.flatnonzero(use_of == TRAIN)
    trained = trained[np.argsort(catalogue.fact_of[trained], kind="stable")]
    first = np.flatnonzero(np.diff(catalogue.fact_of[trained], prepend=-1))
    count = np.diff(first, append=len(trained))
    first, count = first[count > 1], count[count > 1]
    record = catalogue.record_of[trained[first]]
    fact = catalogue.fact_of[trained[first]]
    ordinal = fact - fact[np.searchsorted(record, record)]  # of a record's facts
    drawn = _drawn(catalogue.text_hashes[record] + ordinal.astype(np.uint64), f"{seed}:reworded")
    held = [np.empty(0, np.int64)]
    for _, facts in _by_stratum(catalogue, record):
        chosen = facts[np.argsort(drawn[facts], kind="stable")][: round(len(facts) * share)]
        wording = _mixed(drawn[chosen]) % count[chosen].astype(np.uint64)
        held.append(trained[first[chosen] + wording.astype(np.int64)])
    return np.concatenate(held)


def _by_stratum(catalogue: Catalogue, records: Array) -> Iterator[tuple[Stratum, Array]]:
    """Each stratum with the places in `records` that hold a record of its."""
    stratum_of = catalogue.stratum_of[records]
    for stratum, code in sorted(zip(catalogue.strata, range(len(catalogue.strata)), strict=True)):
        yield stratum, np.flatnonzero(stratum_of == code)


def _drawn(hashes: Hashes, purpose: str) -> Hashes:
    """Each text's lot: the same for the same text and purpose, else as if drawn at random."""
    return _mixed(hashes ^ np.uint64(random.Random(purpose).getrandbits(64)))


def _mixed(values: Hashes) -> Hashes:
    """SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014, figure 16)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _too_small(catalogue: Catalogue, split: Split, config: SplitConfig) -> dict[Kind, str]:
    """The kinds that are asked for and too small for an interval, each with what it holds out."""
    small: dict[Kind, str] = {}
    for code, kind in enumerate(KINDS):
        held = np.flatnonzero(split.use_of == code)
        records = len(np.unique(catalogue.record_of[held]))
        if getattr(config, kind) > 0 and (len(held) < config.min_items or records < 2):
            small[kind] = f"{_count(len(held), 'question')} of {_count(records, 'record')}"
    return small


def _complaint(config: SplitConfig, small: dict[Kind, str], shares: str | None, pairs: int, groups: int) -> str:
    told = ", ".join(f"split.{kind} ({getattr(config, kind)}): {held}" for kind, held in small.items())
    fault = (
        f"too few held-out questions for an interval: {told}; "
        f"{config.min_items} of 2 records or more are needed (split.min_items)"
    )
    if shares:
        return f"{fault}; put into the recipe: {shares}; or add documents"
    return (
        f"{fault}; no shares give them of the {_count(pairs, 'question')} in these documents, "
        f"in {_count(groups, 'group')} of related records: add documents, to {2 * config.min_items} questions "
        "or more in several groups, or lower split.min_items"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
