"""`calibstudio rigs set` and `forget`: what a rig states of its camera, its limits, its memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from calibstudio.domain.errors import UsageError
from calibstudio.domain.rig import Rig
from calibstudio.domain.rig_knows import BY_KEY, KNOWABLE
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, EDGES, Limit
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.services.rigs import Rigs

LIMITS = "limits."
HOW = (
    f"Write KEY=VALUE; KEY is one of {', '.join(BY_KEY)}, or limits.METRIC.EDGE, where EDGE is "
    f"{', '.join(EDGES)}. KEY= without a value takes it away."
)


def set_values(rigs: Rigs, name: str, wanted: list[str]) -> Rig:
    """Change what a rig states; all of it or nothing.

    Raises
    ------
    UsageError
        There is no such rig, key or value.
    WriteProblemError
    """
    rig = rigs.get(name)
    for text in wanted:
        key, mark, value = text.partition("=")
        key = key.strip()
        if not mark:
            raise UsageError(f"“{text}” sets nothing.", hint=HOW)
        if key.startswith(LIMITS):
            rig = _with_limit(rig, key, value.strip())
        elif key in BY_KEY:
            rig = replace(rig, knows=rig.knows.with_text(key, value))
        else:
            raise UsageError(f"A rig has no value called {key}.", hint=HOW)
    rigs.save(rig)
    return rig


def _with_limit(rig: Rig, key: str, text: str) -> Rig:
    metric, mark, edge = key.removeprefix(LIMITS).partition(".")
    if not mark:
        raise UsageError(f"{key} names no end of a limit.", hint=HOW)
    try:
        value = float(text.replace(",", ".")) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise UsageError(f"{key} cannot be “{text}”.", hint="Write a number, as 1.5.")
    return replace(rig, thresholds=rig.thresholds.with_edge(metric, edge, value))


def forget(rigs: Rigs, name: str, which: list[int]) -> tuple[Rig, str]:
    """Take away learned values by their numbers in `show`; return the rig, and what was done.

    Raises
    ------
    UsageError
        There is no such rig or number.
    WriteProblemError
    """
    from calibstudio.services.rig_learning import learned_words

    rig = rigs.get(name)
    rows = learned_words(rig)
    for number in which:
        if not 1 <= number <= len(rows):
            there = f"It has learned {count(len(rows), 'value')}" if rows else "It learned nothing"
            raise UsageError(
                f"{rig.name} has no learned value {number}.",
                hint=f"{there}; calibstudio rigs show “{rig.name}” numbers them.",
            )
    left = tuple(one for i, one in enumerate(rig.learned, 1) if i not in which)
    gone = [rows[i - 1] for i in sorted(set(which))]
    rig = replace(rig, learned=left)
    rigs.save(rig)
    return rig, "\n".join(f"Forgotten: {what}: {value}" for what, value in gone)


def value_lines(rig: Rig) -> list[str]:
    """Return for people what a rig states and by which limits it judges, with where from."""
    lines = []
    for one in KNOWABLE:
        value = getattr(rig.knows, one.key)
        said = "not stated" if value is None else one.words(value)
        about = f" ({one.about})" if value is None and one.about else ""
        lines.append(f"  {one.key:<18}{said}{about}")
    for name, limit in _own_limits(rig).items():
        usual = DEFAULT_THRESHOLDS.limit(name) or Limit()
        for edge in EDGES:
            value, was = getattr(limit, edge), getattr(usual, edge)
            if value != was:
                default = "none" if was is None else f"{was:g}"
                now = "none" if value is None else f"{value:g}"
                lines.append(f"  {LIMITS}{name}.{edge}  {now} (by this rig; usual {default})")
    return lines


def values_json(rig: Rig) -> dict[str, Any]:
    """Return what a rig states, as JSON carries it; None: not stated."""
    return {one.key: getattr(rig.knows, one.key) for one in KNOWABLE}


def _own_limits(rig: Rig) -> dict[str, Limit]:
    names = rig.thresholds.to_dict()
    return {name: limit for name in names if (limit := rig.thresholds.limit(name)) is not None}
