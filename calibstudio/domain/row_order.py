"""Frames whose rows are stored in the other order than those of the frames beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def turned_over(orders: Mapping[T, str | None]) -> dict[T, str]:
    """Return the frames that say another ROWORDER than most, each with a reason.

    Combined with the rest they would be upside down. A frame that says none is believed to be
    like the others.
    """
    said = {frame: order.strip().upper() for frame, order in orders.items() if order}
    counts = Counter(said.values())
    if len(counts) < 2:
        return {}
    usual, many = counts.most_common(1)[0]
    return {
        frame: f"its rows are stored {order.lower()}, those of {many} others {usual.lower()} "
        "(ROWORDER): among them it would be upside down."
        for frame, order in said.items()
        if order != usual
    }
