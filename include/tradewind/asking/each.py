"""Many questions at once, until all are answered or the budget has reached its bound."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from tradewind.asking.store import BudgetReachedError

_In = TypeVar("_In")
_Out = TypeVar("_Out")


async def each(
    items: Sequence[_In], work: Callable[[_In], Awaitable[_Out]], *, at_once: int, what: str, unit: str
) -> tuple[list[_Out | None], str | None]:
    """`work` on every item, in the items' order; None for those left when the budget reached its bound, named beside.

    Raises:
        UserError: as `work` does; what is under way is cancelled.
    """
    from tqdm import tqdm

    done: dict[int, _Out] = {}
    queue: Iterator[tuple[int, _In]] = iter(enumerate(items))
    reached: list[str] = []
    total = len(items)
    bar = tqdm(total=total, desc=what, unit=unit, file=sys.stderr)

    async def worker() -> None:
        for index, item in queue:
            try:
                done[index] = await work(item)
            except BudgetReachedError as error:
                reached.append(str(error))
                return
            bar.update()

    tasks = [asyncio.create_task(worker()) for _ in range(min(at_once, max(1, total)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        bar.close()
    return [done.get(index) for index in range(total)], reached[0] if reached else None
