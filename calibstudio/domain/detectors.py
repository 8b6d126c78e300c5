"""Which images of a file are detectors, and how a set of them is named and compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

from calibstudio.domain.wording import size

NOT_DETECTORS = frozenset(
    {"VAR", "VARIANCE", "ERR", "ERROR", "UNCERT", "UNC", "SIGMA", "NOISE"}
    | {"DQ", "MASK", "FLAG", "FLAGS", "BPM", "CNT", "COUNT", "WEIGHT", "EXP", "CON", "WHT"}
    | {"REJ"}
)
"""Image extensions that say something about another image, and are no detectors."""
REJECTED_PLANES = ("REJ_LOW", "REJ_HIGH")
"""How many values were rejected low and high at each pixel."""
PRIMARY = "PRIMARY"
"""What the image of the primary HDU is called beside others."""

Shape = tuple[int, int]


def only_detectors(names: Sequence[str]) -> tuple[str, ...]:
    """Leave out variance, masks and counts; ``VAR``, ``VAR,2`` and ``VAR_2`` are all variance."""
    kept = tuple(n for n in names if re.split(r"[_,]", n.upper())[0] not in NOT_DETECTORS)
    return kept or tuple(names[:1])


def extension_name(image: str, *, alone: bool) -> str:
    """Return the EXTNAME of an image in a file that we write; empty for the only one."""
    return "" if alone else image or PRIMARY


def plane_name(detector: str, which: str) -> str:
    """Return the name of a plane: ``UNC``, ``GREEN_UNC``, ``SCI_UNC,2`` for ``SCI,2``."""
    extname, comma, extver = detector.partition(",")
    return f"{extname}_{which}{comma}{extver}" if extname else which


def described(names: Sequence[str], shapes: Sequence[Shape | None]) -> str | None:
    """Say which detectors a file holds, and their sizes, in one text that can be compared.

    None for a single image: its size is enough. The order of the extensions does not matter.
    """
    kept = only_detectors(names)
    if len(kept) < 2:
        return None
    sizes = dict(zip(names, shapes, strict=False))
    said = (f"{n or PRIMARY} {size(s) if (s := sizes.get(n)) else '?'}" for n in kept)
    return ", ".join(sorted(said, key=str.upper))
