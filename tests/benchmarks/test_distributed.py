from __future__ import annotations

import distributed
from distributed import Run


def _run(seconds: float, losses: list[float]) -> Run:
    return Run(seconds + 10, {"train_seconds": seconds + 1, "checkpoint_seconds": 1.0}, losses)


def test_each_is_held_against_one_process_of_the_same_round() -> None:
    runs = {
        "1 process": [_run(4.0, [7.0, 6.0]), _run(8.0, [7.0, 6.0]), _run(4.0, [7.0, 6.0])],
        "2 processes": [_run(2.0, [7.0, 6.0]), _run(4.0, [7.0, 6.5]), _run(4.0, [7.0, 6.0])],
    }
    alone, both = distributed._lines(runs, tokens=800)
    assert alone[1:4] == ("4.00 (4.00 to 8.00)", "200", "1.00x")
    assert both[1:4] == ("4.00 (2.00 to 4.00)", "200", "2.00x")  # the median of 2, 2 and 1
    assert (alone[5], both[5]) == ("0.0e+00", "5.0e-01")
