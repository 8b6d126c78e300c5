"""Values on the command line that several commands take."""

from __future__ import annotations

import argparse
import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def memory_size(text: str) -> int:
    """Read a size as ``2G``, ``500M`` or ``1.5GiB``."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 2G or 500M")
    number, unit, binary = found.groups()
    power = " KMGT".index(unit.upper()) if unit else 0
    size = float(number) * (1024**power if binary else _UNITS[unit.upper()])
    if size < 1:
        raise argparse.ArgumentTypeError("the memory must not be zero")
    return int(size)
