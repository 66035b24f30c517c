"""The picture that goes to Slack."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb

from champion import with_champion
from finished_run import comparison, group, metric, scores_of
from tradewind.reporting.plots import COLOURS, score_picture
from tradewind.scores import Scores


def _scores(*kinds: str) -> Scores:
    found = [metric("semscore", {"base": comparison(0.3 - 0.2 * place)}) for place in range(len(kinds))]
    return scores_of(*(group(kind, one) for kind, one in zip(kinds, found, strict=True)))


def _seen(picture: bytes, name: str, *, first_row: int = 0, last_row: int = -1, first_column: int = 0) -> int:
    """How many pixels of this part have the model's colour."""
    pixels = image.imread(io.BytesIO(picture), format="png")[first_row:last_row, first_column:, :3]
    return int((np.abs(pixels - np.array(to_rgb(COLOURS[name]))).max(axis=-1) < 0.02).sum())


def test_it_shows_base_and_tuned_and_a_champion_where_there_is_one() -> None:
    scores = _scores("reworded", "read", "unseen")
    without, with_one = score_picture(scores), score_picture(with_champion(scores))
    assert [_seen(without, name) > 500 for name in ("base", "tuned", "champion")] == [True, True, False]
    assert [_seen(with_one, name) > 500 for name in ("base", "tuned", "champion")] == [True, True, True]
    assert score_picture(scores) == without


def test_the_interval_is_drawn_on_the_right_where_there_is_one() -> None:
    scores = _scores("reworded")
    bare = scores_of(group("reworded", metric("semscore", no_interval="only 3 of them")))
    panel = {"first_row": 70, "last_row": -90, "first_column": 670}  # without the legend and the axis' words
    assert _seen(score_picture(scores), "base", **panel) > 300
    assert _seen(score_picture(bare), "base", **panel) < 100


@pytest.mark.parametrize("kinds", [("reworded",), ("reworded", "read", "unseen") * 4])
def test_it_is_wide_enough_to_read_and_small_enough_to_send(kinds: tuple[str, ...]) -> None:
    picture = score_picture(_scores(*kinds))
    height, width = image.imread(io.BytesIO(picture), format="png").shape[:2]
    assert width == 1050
    assert height > 120 * len(kinds)
    assert len(picture) < 200_000
