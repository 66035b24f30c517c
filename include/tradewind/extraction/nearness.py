"""How near an answer lies to its passage's sentences, by a sentence encoder that can read the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tradewind.config import Language
from tradewind.sentences import sentences

Vectors = npt.NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]
"""Unit vectors of texts, shape (texts, dimensions)."""

UNLIKE: dict[Language, tuple[str, ...]] = {
    "en": (
        "The museum opens its doors at nine in the morning.",
        "Whales sing to their calves at night.",
        "Interest rates were raised to slow inflation down.",
        "Add the flour slowly and stir until the dough is smooth.",
        "The software update repairs a fault in the printer driver.",
        "A contract is void if one of the parties was forced into it.",
        "The team lost its last match in the rain.",
        "Vaccines train the immune system to recognise a virus.",
    ),
    "ko": (
        "박물관은 아침 아홉 시에 문을 엽니다.",
        "고래는 밤에 새끼에게 노래를 불러 줍니다.",
        "물가 상승을 늦추려고 금리를 올렸습니다.",
        "밀가루를 천천히 넣고 반죽이 매끄러워질 때까지 저으세요.",
        "이번 업데이트는 프린터 드라이버의 오류를 고칩니다.",
        "당사자가 강요를 받아 맺은 계약은 무효입니다.",
        "우리 팀은 비가 오는 가운데 마지막 경기에서 졌습니다.",
        "백신은 면역 체계가 바이러스를 알아보도록 훈련시킵니다.",
    ),
}
"""Sentences on different matters. An encoder that holds them alike cannot read their language, whatever the claims at
hand are: so a pair's fate does not hang on the shard that it is in."""


def nearness(
    pairs: Sequence[tuple[str, str]], languages: Sequence[Language], embed: Embed, max_floor: float
) -> list[float | None]:
    """The cosine of each answer to its passage's nearest sentence; None where the encoder cannot judge.

    Args:
        pairs: answers, each with its passage.
        languages: of each pair.
        embed: called once, and not at all without pairs.
        max_floor: the mean cosine of `UNLIKE` above which the encoder is not believed in a language.
    """
    if not pairs:
        return []
    parts = [sentences(passage) or [passage] for _, passage in pairs]
    unlike = [sentence for language in sorted(set(languages)) for sentence in UNLIKE[language]]
    texts = list(
        dict.fromkeys([*unlike, *(answer for answer, _ in pairs), *(part for group in parts for part in group)])
    )
    vectors = embed(texts)
    row = {text: index for index, text in enumerate(texts)}
    floors = {language: _floor(vectors[[row[text] for text in UNLIKE[language]]]) for language in set(languages)}
    found: list[float | None] = []
    for (answer, _), language, group in zip(pairs, languages, parts, strict=True):
        near = vectors[[row[part] for part in group]] @ vectors[row[answer]]
        found.append(float(near.max()) if floors[language] <= max_floor else None)
    return found


def _floor(vectors: Vectors) -> float:
    """The mean cosine of different texts."""
    n = len(vectors)
    total = vectors.sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))
