"""Parts of a stage's work: each piece is one part's, and each part has a folder."""

from __future__ import annotations

import pytest

from tradewind.errors import UserError
from tradewind.shard import WHOLE, Shard


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_piece_of_work_belongs_to_exactly_one_part(count: int) -> None:
    parts = [Shard(index, count) for index in range(1, count + 1)]
    for position in range(50):
        assert sum(part.holds(position) for part in parts) == 1
    sizes = [sum(part.holds(position) for position in range(50)) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_part_is_written_as_it_is_read() -> None:
    assert Shard.parse(" 2/8 ") == Shard(2, 8)
    assert str(Shard(2, 8)) == "2/8"
    assert Shard.parse("1/1") == WHOLE


def test_the_whole_has_the_stages_own_folder() -> None:
    assert WHOLE.folder("extract") == "extract"
    assert Shard(2, 8).folder("extract") == "extract-2-of-8"


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.5/2"])
def test_what_is_no_part_is_told_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"write INDEX/COUNT, from 1, such as 2/8"):
        Shard.parse(text)
