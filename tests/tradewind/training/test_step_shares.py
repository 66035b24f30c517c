from __future__ import annotations

from collections.abc import Iterator

import pytest

from tradewind.training.step_shares import BLANK, StepShares, WithBlank


class _Order:
    """Examples in an order that differs from epoch to epoch."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.epoch = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter([(self.epoch + index) % self.count for index in range(self.count)])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def _shares(count: int, size: int, *, share: int, micro: int) -> list[StepShares]:
    return [StepShares(_Order(count), share=share, micro=micro, size=size, rank=rank) for rank in range(size)]


@pytest.mark.parametrize("count", range(1, 40))
@pytest.mark.parametrize(("size", "share", "micro"), [(1, 8, 4), (2, 4, 4), (2, 4, 1), (4, 2, 1), (3, 4, 2)])
def test_together_they_have_in_each_step_what_one_alone_has(count: int, size: int, share: int, micro: int) -> None:
    shares = _shares(count, size, share=share, micro=micro)
    for epoch in (0, 5):
        for each in shares:
            each.set_epoch(epoch)
        batches = [list(each) for each in shares]
        assert {len(found) for found in batches} == {len(shares[0])}  # a process with one fewer would be waited for
        alone, step = list(shares[0].order), share * size
        each_step = share // micro
        for number in range(-(-count // step)):
            of_step = [index for found in batches for batch in found[number * each_step : (number + 1) * each_step]
                       for index in batch if index != BLANK]  # fmt: skip
            assert sorted(of_step) == sorted(alone[number * step : (number + 1) * step])
        assert all(len(batch) <= micro for found in batches for batch in found)


def test_a_process_without_an_example_gets_one_that_teaches_nothing() -> None:
    first, second = _shares(5, 2, share=2, micro=2)
    assert [list(first)[-1], list(second)[-1]] == [[4], [BLANK]]
    rows = WithBlank([{"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "more": 1}], -100)
    assert rows[BLANK] == {"input_ids": [1, 2, 3], "labels": [-100, -100, -100], "more": 1}
    assert rows[0]["labels"] == [-100, 2, 3]
    assert len(rows) == 1
