"""Values of replies, type-checked: servers answer with anything.

Each function returns the value as our type, or None when it is not one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from calibstudio.devices.foreign_text import one_line

V = TypeVar("V")
Kind = Callable[[object], V | None]
"""What each function here is."""


def yes(value: object) -> bool | None:
    """Read a boolean; also the words and the 0 and 1 that some servers send."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    if isinstance(value, int):
        return {0: False, 1: True}.get(value)
    return None


def whole(value: object) -> int | None:
    """Read a whole number; 3.0 and "3" are ones, True is not."""
    found = decimal(value)
    if found is None or found != math.floor(found):
        return None
    return int(value) if isinstance(value, int) else int(found)


def decimal(value: object) -> float | None:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def text(value: object) -> str | None:
    """Read a text on one line, without control characters."""
    if not isinstance(value, str):
        return None
    return one_line(value)


def texts(value: object) -> tuple[str, ...] | None:
    """Read a list of names; also a list of objects with a name in them."""
    if not isinstance(value, list):
        return None
    found = [_named(item) for item in value]
    return tuple(name for name in found if name is not None) if None not in found else None


def _named(item: object) -> str | None:
    if isinstance(item, dict):
        for key in ("Name", "name", "Value", "value"):
            if isinstance(item.get(key), str):
                return one_line(item[key])
        return None
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return f"{item:g}"
    return text(item)
