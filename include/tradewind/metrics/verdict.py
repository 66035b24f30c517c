"""Whether tuned is better than base."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.scores import METRIC_NAMES, GroupScore, Verdict


def verdict_of(groups: Sequence[GroupScore]) -> tuple[Verdict, str]:
    """From the first kind that was measured, the largest language first: what users of the model ask."""
    for group in groups:
        interval = group.metric(group.headline).tuned_minus_base
        if interval is None:
            continue
        where = f"{METRIC_NAMES[group.headline]} on {group.kind} questions ({group.language}, n={interval.n})"
        level = f"{interval.confidence_level:.0%} interval"
        span = f"{interval.difference:+.3f}, {level} {interval.low:+.3f} to {interval.high:+.3f}"
        floor = group.metric(group.headline).tuned_minus_floor
        if interval.low > 0 and floor is not None and floor.low <= 0:
            return "no difference shown", (
                f"tuned is above base by {where}: {span}, but not above its floor "
                f"({floor.difference:+.3f}, {floor.low:+.3f} to {floor.high:+.3f}): they fit any question as well"
            )
        if interval.low > 0 and floor is None and "tuned" in group.metric(group.headline).floor:
            return "no difference shown", (
                f"tuned is above base by {where}: {span}, but its difference from its floor has no interval"
            )
        if interval.low > 0:
            return "better", f"tuned is above base by {where}: {span}"
        if interval.high < 0:
            return "worse", f"tuned is below base by {where}: {span}"
        return "no difference shown", f"the interval holds 0 for {where}: {span}"
    reasons = [reason for group in groups if (reason := group.metric(group.headline).no_interval)]
    return "no difference shown", "; ".join(["no kind of held-out question has an interval", *reasons[:1]])
