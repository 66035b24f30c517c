"""SemScore: cosine similarity of sentence embeddings of answer and reference.

Aynetdinov and Akbik, "SemScore: Automated Evaluation of Instruction-Tuned LLMs based on Semantic
Textual Similarity", arXiv 2401.17072, section 3: all-mpnet-base-v2, the mean over items.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tradewind.errors import UserError
from tradewind.models import check_location, locate, revision_of

Vectors = npt.NDArray[np.float64]


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
    """Embed each different text once.

    Raises:
        UserError: the encoder cannot be had.
    """
    from sentence_transformers import SentenceTransformer

    check_location(encoder)
    source = locate(encoder)
    try:
        model = SentenceTransformer(str(source), revision=revision if isinstance(source, str) else None)
    except (OSError, ValueError) as error:
        reachable = "" if os.environ.get("HF_HUB_OFFLINE") != "1" else " (HF_HUB_OFFLINE is 1)"
        raise UserError(
            f"encoder '{encoder}': cannot be had{reachable}; name a local folder or one on the hub in evaluate.encoder"
        ) from error
    distinct = sorted(set(texts))  # a text's batch moves its last digits: let no order of models or items decide it
    limit = int(model.max_seq_length or 0)
    lengths = [len(ids) for ids in model.tokenizer(distinct, verbose=False)["input_ids"]]
    vectors = model.encode(
        distinct, batch_size=32, normalize_embeddings=True, show_progress_bar=sys.stderr.isatty()
    ).astype(np.float64)
    row = {text: index for index, text in enumerate(distinct)}
    cut = {text for text, length in zip(distinct, lengths, strict=True) if limit and length > limit}
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    used = revision_of(encoder) or getattr(config, "_commit_hash", None) or revision
    return Embeddings(vectors[[row[text] for text in texts]], sum(text in cut for text in texts), limit, used)


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
