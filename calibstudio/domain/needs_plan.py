"""From what lights need to what is captured: a configuration that `calibstudio run` carries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from calibstudio.domain.equipment import CameraInfo, Region
from calibstudio.domain.errors import UsageError
from calibstudio.domain.filters import filter_key
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan, CaptureStep, Estimate, estimate_plan
from calibstudio.domain.run_config import (
    BiasWish,
    CameraWish,
    DarkFlatWish,
    DarkWish,
    FlatWish,
    RunConfig,
)
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.domain.needs import Need

TITLE = "Calibration for my lights"


def camera_wish(headers: Sequence[FrameHeader]) -> CameraWish:
    """Return the camera settings that most of these frames have."""
    gain, offset = _most(h.gain for h in headers), _most(h.offset for h in headers)
    binning = _most(h.binning for h in headers)
    factor = binning[0] if binning else 1
    region = _most(h.region for h in headers)
    part = None
    if region is not None and any(region[:2]):
        part = Region(*(v * factor for v in region))
    return CameraWish(
        gain=None if gain is None else round(gain),
        offset=None if offset is None else round(offset),
        readout_mode=_most(h.readout_mode for h in headers),
        binning=factor,
        region=part,
        set_temp_c=_most(h.set_temp_c for h in headers),
    )


def _most(values: Iterable[Any]) -> Any:
    """Return the most frequent of the known values; None without any."""
    counted = Counter(v for v in values if v is not None)
    if not counted:
        return None
    top = max(counted.values())
    return min((v for v in counted if counted[v] == top), key=str)


def config_for_needs(
    needs: Sequence[Need],
    expected_s: Mapping[str, float],
    *,
    rig: str = "",
    info: CameraInfo | None = None,
) -> RunConfig:
    """Return the configuration that takes these needs.

    Flats of one filter and setting are taken once, whatever nights of lights they are for; filters
    whose dark flats serve others come first, so that the sequence can leave the others out.

    Parameters
    ----------
    needs
        Those that are taken, dark flats of flats that are yet to be taken among them.
    expected_s
        Expected exposure of flats by id of need.
    info
        Of the camera, where it is known: it tells a part of the sensor from the whole.
    """
    whole = [replace(n, camera=_on_sensor(n, info)) for n in needs]
    darks: dict[Hashable, list[Need]] = {}
    for need in whole:
        if need.kind == FrameKind.DARK:
            darks.setdefault((need.camera, need.frames), []).append(need)
    known = [n for n in whole if n.kind == FrameKind.DARK_FLAT and not n.follows]
    return RunConfig(
        name="the plan",
        title=TITLE,
        rig=rig,
        bias=tuple(BiasWish(n.frames, camera=n.camera) for n in whole if n.kind == FrameKind.BIAS),
        darks=tuple(
            DarkWish(group[0].frames, _exposures(group), camera=group[0].camera)
            for group in darks.values()
        ),
        flats=_flats(whole, expected_s),
        dark_flats=tuple(DarkFlatWish(n.frames, n.exposures_s, n.camera) for n in known),
    )


def _exposures(needs: Sequence[Need]) -> tuple[float, ...]:
    found = {float(t) for n in needs if isinstance(t := n.key.get("exposure_s"), (int, float))}
    return tuple(sorted(found))


def _on_sensor(need: Need, info: CameraInfo | None) -> CameraWish:
    """Return the settings with the region that lights from the corner of the sensor have."""
    wish, shape = need.camera, need.key.get("shape")
    if info is None or wish.region is not None or not isinstance(shape, tuple):
        return wish
    rows, columns = (int(n) for n in shape[:2])
    if (rows, columns) == (info.shape[0] // wish.binning, info.shape[1] // wish.binning):
        return wish
    if rows * wish.binning > info.shape[0] or columns * wish.binning > info.shape[1]:
        return wish
    return replace(wish, region=Region(0, 0, columns * wish.binning, rows * wish.binning))


def _flats(needs: Sequence[Need], expected_s: Mapping[str, float]) -> tuple[FlatWish, ...]:
    dark_flats = [n for n in needs if n.kind == FrameKind.DARK_FLAT and n.follows]
    by_id = {flat_id: n for n in dark_flats for flat_id in n.follows}
    once: dict[Hashable, tuple[bool, str, Need]] = {}
    for need in needs:
        if need.kind != FrameKind.FLAT:
            continue
        name = str(need.key.get("filter", ""))
        dark_flat = by_id.get(need.id)
        carries = dark_flat is not None and dark_flat.exposures_s[:1] == (
            *(expected_s[i] for i in (need.id,) if i in expected_s),
        )
        once.setdefault((filter_key(name), need.camera), (not carries, name, need))
    groups: dict[Hashable, list[tuple[bool, str, Need]]] = {}
    for entry in once.values():
        _, name, need = entry
        n_dark = by_id[need.id].frames if need.id in by_id else 0
        # Without a filter the wheel stays where it is: that cannot be in a list with others.
        groups.setdefault((need.camera, need.frames, n_dark, bool(name)), []).append(entry)
    found = []
    for group in groups.values():
        ordered = sorted(group, key=lambda one: one[0])
        first = ordered[0][2]
        filters = tuple(name for _, name, _ in ordered if name)
        n_dark = by_id[first.id].frames if first.id in by_id else 0
        found.append(FlatWish(first.frames, filters, dark_flats=n_dark, camera=first.camera))
    return tuple(found)


def on_wheel(config: RunConfig, filters: Sequence[str]) -> RunConfig:
    """Return the configuration with filters called as the wheel calls them.

    Raises
    ------
    UsageError
        The wheel has not all of them.
    """
    names = {filter_key(name): name for name in reversed(filters)}
    wanted = [name for wish in config.flats for name in wish.filters]
    missing = [name for name in wanted if filter_key(name) not in names]
    if missing:
        noun = "filter" if len(missing) == 1 else "filters"
        raise UsageError(
            f"The wheel has no {noun} {', '.join(missing)}; it has {', '.join(filters)}.",
            hint="Leave these flats out of the plan, or name the wheel's filters as the lights do.",
        )
    flats = tuple(
        replace(wish, filters=tuple(names[filter_key(f)] for f in wish.filters))
        for wish in config.flats
    )
    return replace(config, flats=flats)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan is expected to take."""

    estimate: Estimate
    dark_flat_sets: int
    """Sets that are expected to be taken; the plan may hold more, which others serve."""


def expected_cost(
    plan: CapturePlan, needs: Sequence[Need], expected_s: Mapping[str, float], info: CameraInfo
) -> Cost:
    """Return what a plan costs when dark flats that others serve are left out, as they will be."""
    by_filter = {
        filter_key(str(n.key.get("filter", ""))): expected_s[n.id]
        for n in needs
        if n.kind == FrameKind.FLAT and n.id in expected_s
    }
    sets = [n for n in needs if n.kind == FrameKind.DARK_FLAT]
    carriers = {s for n in sets for s in n.exposures_s if n.follows}
    exposures: dict[str, float] = {}
    steps: list[CaptureStep] = []
    for step in plan.steps:
        known = by_filter.get(filter_key(step.filter or ""))
        if known is not None and step.kind == FrameKind.FLAT:
            exposures[step.id] = known
        is_dark_flat = step.kind == FrameKind.DARK_FLAT and step.exposure_from is not None
        if not is_dark_flat or known is None or known in carriers:
            steps.append(step)
    left = replace(plan, steps=tuple(steps))
    estimate = estimate_plan(left, info, exposures_s=exposures)
    return Cost(estimate, sum(s.kind == FrameKind.DARK_FLAT for s in left.steps))


def cost_words(cost: Cost, plan: CapturePlan) -> str:
    """Say what dark flats are left out; empty when none are."""
    held = sum(s.kind == FrameKind.DARK_FLAT for s in plan.steps)
    if held == cost.dark_flat_sets:
        return ""
    sets = count(cost.dark_flat_sets, "set of dark flats", "sets of dark flats")
    return f"{sets} of {held} will do: the others are left out when the exposures are as expected."
