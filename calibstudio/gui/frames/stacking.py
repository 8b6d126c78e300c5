"""What a group becomes, and the job that makes it: building masters in the background."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group
from calibstudio.domain.kinds import CALIBRATION_KINDS
from calibstudio.domain.recipe import DarkForm, DarkScaling, Normalization, Recipe, Smooth
from calibstudio.domain.wording import count, number, significant
from calibstudio.gui.building import build_in_background
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.pace import Pace, pixels_of
from calibstudio.gui.frames.state import FramesState
from calibstudio.imaging.combine import rule_in_parts
from calibstudio.imaging.reject import resolve


def group_facts(state: FramesState, group: Group) -> list[tuple[str, str]]:
    """Say what a group becomes with the chosen recipe, as names and values."""
    recipe = state.recipe
    used = state.used(group)
    n = len(used)
    facts = [
        ("Master", _what(group, recipe)),
        ("Frames", f"{number(n)} of {number(len(group.frames))}"),
    ]
    if n < recipe.min_frames:
        facts.append(("Stacked", f"not: at least {number(recipe.min_frames)} frames are needed"))
        return facts
    settings = resolve(recipe.stack_for(group.kind), n).settings
    # Short lines: in one the numbers of the rule would be cut off in a narrow panel.
    how, rule, limits = rule_in_parts(settings)
    facts += [("Combined by", how), ("Rejection", rule)]
    if limits:
        facts.append(("Limits", limits))
    multiplied = settings.normalize is Normalization.MULTIPLICATIVE
    facts.append(("Normalisation", "each frame by its level" if multiplied else "none"))
    facts += _more_facts(group, recipe)
    overscan = _overscan(state, used)
    if overscan:
        facts.append(("Overscan", overscan))
    noise = [v for p in used if (a := state.assessment(p)) and (v := a.value("noise")) is not None]
    if noise and group.kind in ("bias", "dark", "dark flat"):
        middle = sorted(noise)[len(noise) // 2]
        facts.append(("Noise of one frame", f"{significant(middle, 3)}\u202fADU"))
    return facts


def _overscan(state: FramesState, used: Sequence[Path]) -> str:
    """Say what is done with the overscan of the frames; empty where they have none."""
    words = state.recipe.overscan.words
    if words:
        return words
    sections = {h.sections for p in used if (h := state.grouping.headers.get(p)) and h.sections}
    if not any("BIASSEC" in said or "BSEC" in said for said in sections):
        return ""
    return f"stays in ({sections.pop() if len(sections) == 1 else 'sections differ'})"


def _more_facts(group: Group, recipe: Recipe) -> list[tuple[str, str]]:
    """Say what the recipe does beside combining."""
    facts = []
    if group.kind == "flat":
        where = "each region of the mask" if recipe.flat.mask else "its centre"
        if not recipe.flat.mask and recipe.flat.region == 1:
            where = "all of it"
        facts.append(("Divided by", f"the {recipe.flat.level.value} of {where}"))
        if recipe.flat.smooth is not Smooth.NONE:
            facts.append(("Smooth light", f"divided out: {recipe.flat.smooth.value}"))
        if recipe.dark.scaling is not DarkScaling.OFF:
            how = "by the exposures" if recipe.dark.scaling is DarkScaling.EXPOSURE else "optimised"
            facts.append(("Dark of another exposure", f"scaled, {how}, where it may be"))
    if group.kind == "dark" and recipe.defects.build:
        facts.append(("Bad pixels", "a map is made with it"))
    return facts


def _what(group: Group, recipe: Recipe) -> str:
    title = group_title(group)
    if group.kind == "dark" and recipe.dark.form is DarkForm.RATE:
        return f"{title}, a rate in ADU/s, bias out"
    if group.kind in ("dark", "dark flat"):
        return f"{title}, bias kept inside"
    return title


class Stacking(QObject):
    """Builds masters of chosen groups, one job at a time for one library.

    Signals
    -------
    built(object)
        The report of the masters service.
    finished()
        A job is over, whatever its end was.
    """

    built = Signal(object)
    finished = Signal()

    def __init__(self, context: GuiContext, state: FramesState, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._state = context, state
        self.pace = Pace()

    def start(self, groups: Sequence[Group]) -> None:
        """Build the masters of these groups, in the order of their dependence."""
        recipe = self._state.recipe
        kinds = {*CALIBRATION_KINDS, *recipe.stack}
        wanted = [g for g in groups if g.kind in kinds or len(groups) == 1]
        grouping = replace(self._state.grouping, groups=tuple(wanted))
        if not wanted:
            self._context.toasts.say(
                "There is no bias, dark or flat group to stack.", "info", hint="Add their folder."
            )
            return
        title = group_title(wanted[0]) if len(wanted) == 1 else count(len(wanted), "group")
        used = [grouping.headers[p] for g in wanted for p in self._state.used(g)]
        pixels, clock = pixels_of(used), _Clock()
        job = build_in_background(
            self._context,
            f"Stack {title}",
            lambda ctx: grouping,
            self.built.emit,
            recipe=recipe,
        )
        job.begun.connect(clock.begin)
        job.succeeded.connect(lambda _report: self.pace.learn(pixels, clock.seconds))
        job.finished.connect(self.finished)


class _Clock:
    """When a job was taken up: what it waited does not count."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
