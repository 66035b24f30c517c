"""SemScore: cosine similarity of sentence embeddings of answer and reference.

Aynetdinov and Akbik, "SemScore: Automated Evaluation of Instruction-Tuned LLMs based on Semantic
Textual Similarity", arXiv 2401.17072, section 3: all-mpnet-base-v2, the mean over items.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tradewind.errors import UserError
from tradewind.models import check_location, locate, revision_of

Vectors = npt.NDArray[np.float64]
BATCH = 32
"""Texts encoded at once."""


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors of texts, and how many texts the encoder had to cut."""

    vectors: Vectors
    """Shape (texts, dimensions)."""
    truncated: int
    max_length: int
    """Tokens the encoder reads."""
    revision: str | None
    """Which version of the encoder: a hub's commit, a package and its version, or a hash of a folder."""


def embed(texts: Sequence[str], encoder: str, revision: str | None = None) -> Embeddings:
    """Embed each different text once, in batches of texts of like length in tokens.

    In 32-bit numbers: 16-bit ones are up to 3 times as fast on some CPUs, but move a cosine by up to 0.004, so that
    scores would depend on the machine. Nor are vectors kept between runs: a text's batch moves its last digits, so a
    run's would depend on the runs before it, to save some seconds in a thousand texts.

    Raises:
        UserError: the encoder cannot be had.
    """
    check_location(encoder)
    source, version = locate(encoder), revision_of(encoder)
    try:
        model = _loaded(str(source), revision if isinstance(source, str) else None, version)
    except (OSError, ValueError) as error:
        reachable = "" if os.environ.get("HF_HUB_OFFLINE") != "1" else " (HF_HUB_OFFLINE is 1)"
        raise UserError(
            f"encoder '{encoder}': cannot be had{reachable}; name a local folder or one on the hub in evaluate.encoder"
        ) from error
    distinct = sorted(set(texts))  # a text's batch moves its last digits: let no order of models or items decide it
    limit = int(model.max_seq_length or 0)
    # Half a percent of what encoding takes, which reads the texts once more: its own way is worth that.
    lengths = [len(ids) for ids in model.tokenizer(distinct, verbose=False)["input_ids"]] if distinct else []
    vectors = _encoded(model, distinct, [min(length, limit or length) for length in lengths])
    row = {text: index for index, text in enumerate(distinct)}
    cut = {text for text, length in zip(distinct, lengths, strict=True) if limit and length > limit}
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    used = version or getattr(config, "_commit_hash", None) or revision
    return Embeddings(vectors[[row[text] for text in texts]], sum(text in cut for text in texts), limit, used)


@lru_cache(maxsize=1)
def _loaded(source: str, revision: str | None, version: str | None) -> Any:  # noqa: ARG001 - tells a changed folder
    """The encoder, loaded once in a process."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(source, revision=revision)


def _encoded(model: Any, texts: Sequence[str], lengths: Sequence[int]) -> Vectors:
    """Unit vectors, shape (texts, dimensions).

    sentence-transformers sorts texts by their characters. Of tokens a Korean text has several times as many, so that
    its own batches are full of padding: on the samples they take 1.4 times as long.
    """
    from tqdm import tqdm

    order = sorted(range(len(texts)), key=lambda index: -lengths[index])
    found: list[npt.NDArray[np.float32]] = [np.empty((0, 0), np.float32)]
    for start in tqdm(range(0, len(order), BATCH), desc="Encoding", disable=not sys.stderr.isatty()):
        batch = [texts[index] for index in order[start : start + BATCH]]
        found.append(model.encode(batch, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False))
    sorted_by_length = np.concatenate(found[1:] or found).astype(np.float64)
    return sorted_by_length[np.argsort(order)]


def similarity(answers: Vectors, references: Vectors) -> Vectors:
    """Cosine of each answer with its own reference; unit vectors of shape (items, dimensions) each."""
    return np.asarray(np.einsum("ij,ij->i", answers, references))


def floor(answers: Vectors, references: Vectors, facts: Sequence[str]) -> Vectors:
    """The mean cosine of each answer with the references of *other* facts: what a wrong answer scores.

    Shape (items,); NaN for an item that no other fact stands beside.
    """
    names = np.asarray(facts)
    cosines = answers @ references.T
    other = (names[:, None] != names[None, :]) & np.isfinite(cosines)
    counts = other.sum(axis=1)
    sums = np.where(other, cosines, 0.0).sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(len(names), np.nan), where=counts > 0))
