"""The capture plan of a configuration, for the equipment that is connected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from calibstudio.domain.dark_flat_draft import DarkFlatDraft
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraInfo, Observatory, PanelInfo
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings, CapturePlan, CaptureStep, LightSource
from calibstudio.domain.run_config import (
    BiasWish,
    CameraWish,
    DarkFlatWish,
    DarkWish,
    FlatWish,
    Part,
    RunConfig,
)
from calibstudio.domain.twilight import Twilight
from calibstudio.domain.wording import exposure

FLAT_PART = (FrameKind.FLAT, FrameKind.DARK_FLAT)


@dataclass(slots=True)
class PlanOfConfig:
    """A plan, and what was left out or understood in its own way, one sentence each."""

    plan: CapturePlan
    notes: list[str]


def plan_of(
    config: RunConfig, observatory: Observatory, part: Part = Part.ALL, *, cool: bool = True
) -> PlanOfConfig:
    """Return the plan of a configuration for this camera, wheel and panel.

    Bias frames first, then darks, flats, and the dark flats of the exposures that the flats had.

    Parameters
    ----------
    part
        Only this part of it.
    cool
        False: no temperature is set, whatever the file says.

    Raises
    ------
    UsageError
        The part holds no frames, or asks for something that this camera does not have.
    """
    wheel, panel = observatory.wheel, observatory.panel
    return plan_for(
        config,
        observatory.camera.info,
        () if wheel is None else wheel.filters,
        None if panel is None else panel.info,
        part,
        cool=cool,
    )


def plan_for(
    config: RunConfig,
    info: CameraInfo,
    filters: Sequence[str] = (),
    panel: PanelInfo | None = None,
    part: Part = Part.ALL,
    *,
    cool: bool = True,
) -> PlanOfConfig:
    """Return the plan of a configuration for a camera that need not be connected.

    As `plan_of`, with the same errors; ``filters`` are those of the wheel.
    """
    maker = _Maker(config, info)
    if config.steps:
        wanted = [s for s in config.steps if _is_of(s.kind, part)]
        maker.add(wanted)
    else:
        if part in (Part.DARKS, Part.ALL):
            maker.darks()
        if part in (Part.FLATS, Part.ALL):
            maker.flats(filters, panel)
    if not maker.steps:
        raise UsageError(
            f"{config.name} asks for no frames"
            + (f" in its part {part}." if part is not Part.ALL else "."),
            hint="Add bias, darks, flats or steps to it.",
        )
    steps = tuple(maker.steps if cool else [_uncooled(s) for s in maker.steps])
    title = config.title or maker.title()
    cooled = any(s.settings.set_temp_c is not None for s in steps)
    warm_up = cooled and config.cooling.warm_up
    plan = CapturePlan(title, steps, config.masters, warm_up)
    if problems := plan.problems():
        raise UsageError(f"{config.name}: {problems[0]}", hint="Mend the file.")
    return PlanOfConfig(plan, maker.notes)


def _is_of(kind: FrameKind, part: Part) -> bool:
    if part is Part.ALL:
        return True
    return (kind in FLAT_PART) is (part is Part.FLATS)


def _temperature(step: CaptureStep) -> float:
    """The set point; infinite where the cooler stays as it is, so that nothing was set before."""
    return inf if step.settings.set_temp_c is None else step.settings.set_temp_c


def _uncooled(step: CaptureStep) -> CaptureStep:
    return replace(step, settings=replace(step.settings, set_temp_c=None))


class _Maker:
    def __init__(self, config: RunConfig, info: CameraInfo) -> None:
        self._config, self._info = config, info
        self.steps: list[CaptureStep] = []
        self.notes: list[str] = []

    def title(self) -> str:
        """Say what is taken: ``Bias, darks, flats``."""
        kinds = list(dict.fromkeys(s.kind for s in self.steps))
        words = [f"{k}" if k is FrameKind.BIAS else f"{k}s" for k in kinds]
        text = ", ".join(words)
        return f"{text[:1].upper()}{text[1:]}"

    def add(self, steps: Iterable[CaptureStep]) -> None:
        """Add steps under ids that nobody has."""
        taken = {s.id for s in self.steps}
        renamed: dict[str, str] = {}
        for step in steps:
            new, n = step.id, 1
            while new in taken:
                n += 1
                new = f"{step.id}_{n}"
            taken.add(new)
            renamed[step.id] = new
            source = step.exposure_from
            if source is not None:
                source = renamed.get(source, source)
            self.steps.append(replace(step, id=new, exposure_from=source))

    def darks(self) -> None:
        """Add bias frames and darks."""
        for bias in self._config.bias:
            self._bias(bias)
        for wish in self._config.darks:
            self._dark(wish)
        if len(self._config.bias) > 1:
            # Each temperature once, the warmest first: going back to one costs a long settling.
            self.steps.sort(key=lambda step: -_temperature(step))

    def _bias(self, wish: BiasWish) -> None:
        seconds = self._info.exposure_min_s
        if wish.exposure_s is not None:
            seconds = max(seconds, wish.exposure_s)
            if seconds != wish.exposure_s:
                self.notes.append(
                    f"Bias: {exposure(wish.exposure_s)} is below this camera's shortest exposure; "
                    f"{exposure(seconds)} is taken."
                )
        draft = BiasDraft(self._settings(wish.camera), wish.frames, seconds)
        self.add(draft.plan(self._info).steps)

    def _dark(self, wish: DarkWish) -> None:
        settings = self._settings(wish.camera)
        exposures = wish.exposures_s
        if wish.science is not None:
            science = wish.science
            longest = self._info.exposure_max_s
            made = DarkDraft.ost(
                self._info,
                science_s=science.science_s,
                flat_s=science.flat_s,
                factors=science.factors,
                shortest_s=science.shortest_s,
                longest_s=longest if science.longest_s is None else science.longest_s,
                frames=wish.frames,
            )
            self.notes += [f"Darks: {note}" for note in made.notes]
            exposures = tuple(sorted({*exposures, *made.exposures_s}))
        draft = DarkDraft(settings, exposures, wish.set_temps_c, wish.binnings, wish.frames)
        self.add(draft.plan(self._info).steps)

    def flats(self, filters: Sequence[str], panel: PanelInfo | None) -> None:
        """Add flats and dark flats."""
        for wish in self._config.flats:
            self._flat(wish, filters, panel)
        for known in self._config.dark_flats:
            self._dark_flats(known)

    def _flat(self, wish: FlatWish, filters: Sequence[str], panel: PanelInfo | None) -> None:
        info = self._info
        chosen = tuple(filters) if wish.every_filter else wish.filters
        usual = FlatDraft.for_camera(info, chosen, panel)
        light = wish.light or usual.light
        if light is LightSource.SKY:
            usual = FlatDraft.for_sky(info, chosen, wish.twilight or Twilight.DUSK)
        is_panel = light is LightSource.PANEL
        low, high = wish.limits.shortest_s, wish.limits.longest_s
        limits = replace(
            wish.limits,
            shortest_s=usual.limits.shortest_s if low is None else max(low, info.exposure_min_s),
            longest_s=usual.limits.longest_s if high is None else min(high, info.exposure_max_s),
        )
        starts = {} if wish.exposure_s is None else dict.fromkeys(chosen or ("",), wish.exposure_s)
        draft = replace(
            usual,
            settings=self._settings(wish.camera),
            count=wish.frames,
            light=light,
            search=wish.search,
            target=wish.target,
            limits=limits,
            brightness=(wish.brightness or usual.brightness) if is_panel else None,
            start_exposures_s=starts,
            with_dark_flats=wish.dark_flats != 0,
            dark_flat_count=wish.dark_flats or None,
        )
        self.add(draft.plan(info).steps)

    def _dark_flats(self, wish: DarkFlatWish) -> None:
        draft = DarkFlatDraft(self._settings(wish.camera), wish.exposures_s, wish.frames)
        self.add(draft.plan(self._info).steps)

    def _settings(self, wish: CameraWish) -> CameraSettings:
        """Return settings for this camera: its own defaults where nothing is wished."""
        info = self._info
        gain = info.gain_default if wish.gain is None else wish.gain
        offset = info.offset_default if wish.offset is None else wish.offset
        for word, asked, known in (
            ("gain", wish.gain, info.gain_range),
            ("offset", wish.offset, info.offset_range),
        ):
            if asked is not None and known is None:
                self._say_once(f"The {word} of this camera cannot be set; the file's is left out.")
        if wish.set_temp_c is not None and not info.can_cool:
            self._say_once("This camera has no cooler; the temperature of the file is left out.")
        return CameraSettings(
            gain=gain if info.gain_range is not None else None,
            offset=offset if info.offset_range is not None else None,
            binning=wish.binning,
            region=wish.region,
            readout_mode=self._mode(wish.readout_mode),
            set_temp_c=wish.set_temp_c if info.can_cool else None,
        )

    def _mode(self, wish: str | int | None) -> str | None:
        modes = self._info.readout_modes
        if wish is None or (isinstance(wish, int) and not modes):
            return modes[0] if modes else None
        if isinstance(wish, str):
            return wish
        if not 0 <= wish < len(modes):
            raise UsageError(
                f"{self._config.name}: this camera has no read-out mode {wish}.",
                hint=f"It has {len(modes)}, counted from 0: {'; '.join(modes)}.",
            )
        return modes[wish]

    def _say_once(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
