"""The plan from lights: what they need, what is there, and what is to be captured (PRODUCT C9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.draft_checks import plan_problems
from calibstudio.domain.equipment import CameraInfo, PanelInfo
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import BPM, FrameKind
from calibstudio.domain.needs import Choice, Need, chosen_ids
from calibstudio.domain.needs_plan import (
    Cost,
    camera_wish,
    config_for_needs,
    cost_words,
    expected_cost,
    on_wheel,
)
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.run_config import RunConfig
from calibstudio.domain.run_plan import plan_for
from calibstudio.domain.wording import count
from calibstudio.services.library import Library
from calibstudio.services.light_dark_flats import (
    FlatsOf,
    dark_flat_needs,
    expected_exposures,
    flat_facts,
)
from calibstudio.services.light_needs import Lights, NeedSettings, library_needs, read_lights

_ORDER: tuple[str, ...] = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, FrameKind.DARK_FLAT, BPM)


@dataclass(frozen=True, slots=True)
class Capture:
    """What is to be taken for some choice."""

    config: RunConfig
    plan: CapturePlan
    cost: Cost
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LightPlan:
    """What lights need, held to the library; every choice of what to take is quick to ask."""

    lights: Lights
    settings: NeedSettings
    fixed: tuple[Need, ...]
    """Needs that do not depend on what is taken."""
    flats: tuple[FlatsOf, ...]

    def chosen(
        self, choice: Choice, custom: Collection[str] = ()
    ) -> tuple[tuple[Need, ...], frozenset[str]]:
        """Return all needs under a choice, and the ids of those that are taken."""
        first = chosen_ids(self.fixed, choice, custom)
        dark_flats = dark_flat_needs(
            self.flats, first, self.settings, from_nothing=choice is Choice.REBUILD
        )
        needs = (*self.fixed, *dark_flats)
        taken = frozenset(chosen_ids(needs, choice, custom))
        return tuple(sorted(needs, key=lambda n: _ORDER.index(n.kind))), taken

    def capture(
        self,
        choice: Choice,
        custom: Collection[str] = (),
        *,
        info: CameraInfo | None = None,
        filters: Sequence[str] = (),
        panel: PanelInfo | None = None,
        rig: str = "",
    ) -> Capture | None:
        """Return what is to be taken; None when nothing is.

        ``info``, ``filters`` and ``panel`` are those of the equipment; without them the camera is
        taken to be as the lights say.

        Raises
        ------
        UsageError
            The camera cannot do what is needed, or the wheel has not the filters.
        """
        needs, ids = self.chosen(choice, custom)
        taken = [n for n in needs if n.id in ids and n.can_be_taken]
        if not taken:
            return None
        expected = expected_exposures(self.flats)
        config = config_for_needs(taken, expected, rig=rig, info=info)
        if filters:
            config = on_wheel(config, filters)
        camera = info or camera_of(self.lights.headers)
        made = plan_for(config, camera, filters, panel)
        if info is not None and (problems := plan_problems(made.plan, info)):
            raise UsageError(problems[0], hint="Leave it out of the plan.")
        cost = expected_cost(made.plan, taken, expected, camera)
        notes = [*self._notes(taken), *made.notes]
        said = cost_words(cost, made.plan)
        return Capture(config, made.plan, cost, tuple([*notes, said] if said else notes))

    def _notes(self, taken: Sequence[Need]) -> list[str]:
        """Say what the operator has to see to."""
        notes = []
        flats = [n for n in taken if n.kind == FrameKind.FLAT]
        if any("night" in n.key for n in flats):
            notes.append(
                "Flats that are taken now serve lights of earlier nights only where camera, "
                "filters and optics were not moved or cleaned since."
            )
        for word, what in (("rotator_deg", "rotator angle"), ("telescope", "telescope")):
            values = {n.key[word] for n in flats if word in n.key}
            if len(values) > 1:
                notes.append(
                    f"The lights have {count(len(values), what)}; the flats are taken once, as the "
                    "telescope stands. Set it up for each, and plan for its lights alone."
                )
        return notes


def plan_from_lights(
    ctx: JobContext, paths: Sequence[Path], library: Library, settings: NeedSettings
) -> LightPlan:
    """Scan lights, group them by what they need, and hold that to the library.

    Raises
    ------
    UsageError
        There are no raw lights among the files.
    Cancelled
    """
    scanning, measuring = ctx.split(3, 1)
    lights = read_lights(scanning, paths, library, settings)
    fixed = library_needs(lights, library, settings)
    flats = flat_facts(measuring, lights, fixed, library, settings)
    return LightPlan(lights, settings, tuple(fixed), tuple(flats))


def camera_of(headers: Sequence[FrameHeader]) -> CameraInfo:
    """Return a camera that can do what these lights show, for estimates without equipment."""
    wish = camera_wish(headers)
    sizes = {
        (h.shape[0] * h.binning[0], h.shape[1] * h.binning[0])
        if h.binning
        else (h.shape[0], h.shape[1])
        for h in headers
        if h.shape is not None
    }
    wide = (-(10**6), 10**6)
    return CameraInfo(
        name=headers[0].camera or "camera of the lights",
        shape=max(sizes),
        max_adu=65535,
        gain_range=None if wish.gain is None else wide,
        offset_range=None if wish.offset is None else wide,
        binnings=tuple(sorted({h.binning[0] for h in headers if h.binning} | {1})),
        exposure_max_s=1e5,
        can_cool=wish.set_temp_c is not None,
    )
