"""In which order masters are built, and which groups are not, with the reasons (RULES 5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.set_option import set_option
from calibstudio.domain.wording import count

ORDER = (FrameKind.BIAS, FrameKind.DARK_FLAT, FrameKind.DARK, FrameKind.FLAT)
"""Each kind may use what was built before it; other kinds come last."""

DARK_KINDS = (FrameKind.DARK_FLAT, FrameKind.DARK)


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """A group that was not stacked, and why."""

    group: Group
    reason: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What will be built, in order, and what will not."""

    groups: tuple[Group, ...]
    skipped: tuple[NotBuilt, ...]
    """Calibration frames that should have become a master: a problem."""
    left: tuple[NotBuilt, ...]
    """Lights, and kinds that the recipe does not name: no problem."""


def named_otherwise(grouping: Grouping, group: Group) -> str:
    """Say that frames which would not be stacked are calibration frames by their names, or "".

    Flats that a program wrote as lights would vanish in silence otherwise.
    """
    by_kind: dict[str, list[Path]] = {}
    for path in grouping.stacked(group):
        kind = grouping.headers[path].path_kind
        if kind in ORDER and kind != group.kind:
            by_kind.setdefault(kind, []).append(path)
    if not by_kind:
        return ""
    kind, paths = max(by_kind.items(), key=lambda item: len(item[1]))
    cure = f"Use {set_option(paths, grouping.headers, {'kind': kind})}."
    if len(paths) == 1:
        return f"The header of {paths[0].name} says {group.kind}, its name says {kind}. {cure}"
    return (
        f"The headers of {count(len(paths), 'frame')} ({paths[0].name} and others) say "
        f"{group.kind}, their names say {kind}. {cure}"
    )


def plan_masters(grouping: Grouping, recipe: Recipe) -> BuildPlan:
    """Put groups in the order of their dependence, and say which cannot become a master."""
    groups: list[Group] = []
    skipped: list[NotBuilt] = []
    left: list[NotBuilt] = []
    for group in grouping.groups:
        n = len(grouping.stacked(group))
        is_left = group.kind == FrameKind.LIGHT or group.kind not in recipe.stack
        if is_left and (otherwise := named_otherwise(grouping, group)):
            skipped.append(NotBuilt(group, otherwise))
        elif group.kind == FrameKind.LIGHT:
            left.append(NotBuilt(group, "Lights are calibrated, not stacked."))
        elif group.kind not in recipe.stack:
            reason = f"The recipe {recipe.name} does not say how {group.kind} frames are combined."
            left.append(NotBuilt(group, reason))
        elif n < recipe.min_frames:
            skipped.append(NotBuilt(group, too_few(n, recipe)))
        else:
            groups.append(group)
    groups.sort(key=lambda g: (_place(g.kind), _key_order(g)))
    return BuildPlan(tuple(groups), tuple(skipped), tuple(left))


def too_few(n: int, recipe: Recipe) -> str:
    """Say that there are not enough frames for a master."""
    if n == 0:
        return "No frame is left to stack."
    if n == 1:
        return "There is a single frame: one frame is no stack. Take more of the same."
    return f"{count(n, 'frame')}; the recipe {recipe.name} asks for at least {recipe.min_frames}."


def _place(kind: str) -> int:
    return ORDER.index(FrameKind(kind)) if kind in ORDER else len(ORDER)


def _key_order(group: Group) -> tuple[object, ...]:
    time = group.key.get("exposure_s")
    return (group.kind, time if isinstance(time, (int, float)) else -1.0, group.id)
