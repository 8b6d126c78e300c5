"""One detector of all frames of a group: what is taken out, scaled, combined, brought to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import extension_name
from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.matching import exposure_tolerance_s
from calibstudio.domain.pixels import PlaneRows, RowSource
from calibstudio.domain.planes import Combination, Pieces, Plane, Room, bands
from calibstudio.domain.recipe import (
    DarkForm,
    Normalization,
    Recipe,
    Smooth,
    StackSettings,
    Tolerances,
    Weight,
)
from calibstudio.domain.wording import count, exposure, significant
from calibstudio.imaging.calibrate import (
    Levels,
    levels_of_rows,
    normalise_flat,
    reference_levels,
    scales_to,
    with_subtrahend,
)
from calibstudio.imaging.combine import CombineReport, Scale, combine
from calibstudio.imaging.combine_level import robust_spread, scale_about
from calibstudio.imaging.combine_sink import PlanesSink
from calibstudio.imaging.combine_weights import noise_weights
from calibstudio.imaging.dark_scaling import RateSet, dark_level, growth_exponents, together
from calibstudio.services.frame_weights import exposure_weights
from calibstudio.services.master_flat import flat_cards, flat_sentences, read_regions
from calibstudio.services.master_floor import rejection_floor
from calibstudio.services.master_parts import Chosen, Limits, Stacked
from calibstudio.services.master_subtract import Subtraction
from calibstudio.services.master_take import Cleaned, CommonUnc, Taken, taken_from
from calibstudio.services.overscan import open_treated
from calibstudio.store.copied_cards import SECTIONS, agreeing_cards
from calibstudio.store.master_fits import Detector, Rejected


def stack_detector(
    ctx: JobContext,
    chosen: Chosen,
    image: str,
    subtraction: Subtraction,
    recipe: Recipe,
    limits: Limits,
    room: Room,
) -> Stacked:
    """Combine one detector of all frames, into planes of a room.

    Raises
    ------
    CalibrationError
        The frames do not allow it.
    FileProblemError
        A frame or a master cannot be read any more.
    Cancelled
        If asked to stop.
    """
    name = extension_name(image, alone=len(chosen.images) == 1)
    taken = taken_from(subtraction, chosen.headers, name)
    settings = recipe.stack_for(chosen.group.kind)
    work = _Work(chosen, image, name, taken, recipe, settings, limits, room)
    if is_rate(chosen.group.kind, recipe):
        return _as_rates(ctx, work)
    whole = _combined(ctx, work, range(len(chosen.headers)))
    if chosen.group.kind == FrameKind.FLAT:
        return _as_flat(work, whole)
    return _stacked(work, whole)


def is_rate(kind: str, recipe: Recipe) -> bool:
    """Whether masters of this kind hold the signal of one second."""
    return kind == FrameKind.DARK and recipe.dark.form is DarkForm.RATE


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One detector of a group, and all that its stacking needs."""

    chosen: Chosen
    image: str
    name: str
    """Of the detector in the master; empty for one sensor."""
    taken: Sequence[Taken | None]
    recipe: Recipe
    settings: StackSettings
    limits: Limits
    room: Room

    @property
    def kind(self) -> str:
        """Of the frames."""
        return self.chosen.group.kind


@dataclass(frozen=True, slots=True, eq=False)
class _Combined:
    """Frames combined, with what is common to all in the uncertainty where that was asked for."""

    image: NDArray[np.float32]
    unc: NDArray[np.float32]
    cnt: NDArray[np.uint16]
    report: CombineReport
    scales: tuple[Scale, ...] | None
    reference: Levels
    floor_adu: float | None
    rejected: Rejected | None = None
    """Values rejected low and high at each pixel, where the recipe asks for it."""


def _combined(
    ctx: JobContext, work: _Work, which: Sequence[int], *, with_common: bool = True
) -> _Combined:
    """Combine some of the frames, by their places in the group."""
    measuring, combining = ctx.split(1, 3)
    headers = [work.chosen.headers[i] for i in which]
    taken = [work.taken[i] for i in which]
    scales, offsets, reference = _scales(measuring, work, headers, taken)
    floor = rejection_floor(work.kind, headers, work.image, work.settings)
    common = CommonUnc(taken, [1.0] if scales is None else [float(np.mean(s)) for s in scales])
    finish = _finish(work.settings, common if with_common else None)
    sources = [open_treated(h.path, work.image, work.chosen.overscan) for h in headers]
    try:
        maps = work.settings.maps
        sink = PlanesSink(sources[0].shape, work.room, finish=finish, maps=maps)
        planes = [None if t is None else t.plane for t in taken]
        report = combine(
            combining,
            sources,
            work.settings,
            sink,
            scales=scales,
            offsets=offsets,
            subtract=planes,
            weights=_weights(work.settings, headers, sources, scales, offsets, planes),
            maps=sink if maps else None,
            read_noise_adu=floor,
            memory_bytes=work.limits.memory_bytes,
            threads=work.limits.threads,
        )
    finally:
        for source in sources:
            source.close()
    rejected = None if sink.rejected is None else _arrays(sink.rejected)
    image, unc, cnt = sink.image.array, sink.unc.array, sink.cnt.array
    return _Combined(image, unc, cnt, report, scales, reference, floor, rejected)


def _arrays(maps: tuple[Plane, Plane]) -> Rejected:
    return maps[0].array, maps[1].array


Finish = Callable[[int, NDArray[np.float32], NDArray[np.uint16]], NDArray[np.float32]]


def _finish(settings: StackSettings, common: CommonUnc | None) -> Finish | None:
    """Return what is done to each band of UNC before it is kept; None for nothing."""
    adds = common is not None and common.is_known
    if settings.unc_factor is None and not adds:
        return None

    def finish(y0: int, unc: NDArray[np.float32], cnt: NDArray[np.uint16]) -> NDArray[np.float32]:
        if settings.unc_factor is not None:
            # A factor of another pipeline is stated for the variance with N, not N - 1.
            with np.errstate(invalid="ignore", divide="ignore"):
                unc = unc * np.sqrt(np.maximum(cnt - 1.0, 0.0) / cnt).astype(np.float32)
        if adds and common is not None:
            unc = with_subtrahend(unc, common.rows(y0, y0 + len(unc)), 1.0)
        return unc

    return finish


def _weights(
    settings: StackSettings,
    headers: Sequence[FrameHeader],
    sources: Sequence[RowSource],
    scales: tuple[Scale, ...] | None,
    offsets: list[float],
    planes: Sequence[PlaneRows | None],
) -> list[float] | None:
    """Return how much each frame counts in the mean."""
    if settings.weight is Weight.NOISE:
        return noise_weights(sources, scales=scales, offsets=offsets, subtract=planes)
    if settings.weight is Weight.EXPOSURE:
        return exposure_weights([h.path.name for h in headers], [h.exposure_s for h in headers])
    return None


def _scales(
    ctx: JobContext, work: _Work, headers: Sequence[FrameHeader], taken: Sequence[Taken | None]
) -> tuple[tuple[Scale, ...] | None, list[float], Levels]:
    """Return what frames are multiplied with, what is taken off, and their common level."""
    offsets = [-h.pedestal_adu for h in headers]
    per_second = work.kind == FrameKind.FLAT and work.recipe.flat.per_second
    if is_rate(work.kind, work.recipe) or per_second:
        return tuple(1.0 / _exposure(h) for h in headers), offsets, ()
    if work.settings.normalize is Normalization.NONE:
        return None, offsets, ()
    levels, spreads = _frame_levels(ctx, work, headers, taken)
    reference = reference_levels(levels)
    if work.settings.normalize is Normalization.ADDITIVE_SCALING:
        to_spread = float(np.median(spreads))
        pairs = [
            scale_about(one[0], spread, reference[0], to_spread)
            for one, spread in zip(levels, spreads, strict=True)
        ]
        shifts = [p + offset for p, (_, offset) in zip(offsets, pairs, strict=True)]
        return tuple(scale for scale, _ in pairs), shifts, reference
    if work.settings.normalize is Normalization.MULTIPLICATIVE:
        return tuple(_scale(scales_to(one, reference)) for one in levels), offsets, reference
    offsets = [p + one[0] - reference[0] for p, one in zip(offsets, levels, strict=True)]
    return None, offsets, reference


def _exposure(header: FrameHeader) -> float:
    if header.exposure_s is None or not header.exposure_s > 0:
        raise CalibrationError(
            f"{header.path.name} cannot be divided by its exposure: it is "
            f"{'not known' if header.exposure_s is None else exposure(0.0)}.",
            hint="Leave that frame out, or correct its exposure.",
        )
    return header.exposure_s


def _stacked(work: _Work, whole: _Combined, *, sentences: tuple[str, ...] = ()) -> Stacked:
    cards = _own_cards(work)
    detector = Detector(
        work.name, whole.image, whole.unc, whole.cnt, cards=cards, rejected=whole.rejected
    )
    return Stacked(
        detector, whole.report, whole.scales, whole.reference, sentences, whole.floor_adu
    )


def _own_cards(work: _Work) -> tuple[tuple[str, str | int | float | bool, str], ...]:
    if not work.name:
        return ()
    cards = agreeing_cards([h.path for h in work.chosen.headers], work.image)
    # What was cut away is not there any more: another program would cut again.
    gone = SECTIONS if work.chosen.overscan.trim else ()
    return tuple(one for one in cards if one[0] not in gone)


def _as_flat(work: _Work, whole: _Combined) -> Stacked:
    """Bring a flat to one."""
    settings, bayer = work.recipe.flat, work.chosen.headers[0].bayer
    ny, nx = whole.image.shape
    regions = read_regions(settings, work.name, (ny, nx))
    flat = normalise_flat(
        whole.image,
        whole.unc,
        whole.cnt,
        settings,
        bayer=bayer,
        regions=None if regions is None else regions.numbers,
        room=work.room,
    )
    _check_light(work.chosen.title, [flat.levels])
    unit = "" if settings.smooth is not Smooth.NONE else "adu/s" if settings.per_second else "adu"
    detector = Detector(
        work.name,
        flat.image,
        flat.unc,
        flat.cnt,
        flat.bpm,
        flat.levels,
        by_region=regions is not None,
        normval_unit=unit,
        cards=(*flat_cards(settings, regions, colour=len(flat.levels) == 4), *_own_cards(work)),
        rejected=whole.rejected,
    )
    where = f" of {work.name}" if work.name else ""
    sentences = tuple(flat_sentences(flat, settings, regions, where))
    return Stacked(
        detector, whole.report, whole.scales, whole.reference, sentences, whole.floor_adu
    )


def _frame_levels(
    ctx: JobContext, work: _Work, headers: Sequence[FrameHeader], taken: Sequence[Taken | None]
) -> tuple[list[Levels], list[float]]:
    """Measure each frame's level and spread after what is taken out of it."""
    levels, spreads = [], []
    with_spread = work.settings.normalize is Normalization.ADDITIVE_SCALING
    for i, (header, out) in enumerate(zip(headers, taken, strict=True)):
        ctx.progress(i / len(taken), f"Measuring {header.path.name}")
        source = open_treated(header.path, work.image, work.chosen.overscan)
        plane = None if out is None else out.plane
        with closing(Cleaned(source, header.pedestal_adu, plane)) as frame:
            levels.append(levels_of_rows(frame, work.recipe.flat, header.bayer))
            spreads.append(robust_spread(frame)[1] if with_spread else 1.0)
    _check_light(work.chosen.title, levels)
    return levels, spreads


def _check_light(title: str, levels: Sequence[Levels]) -> None:
    if any(not level > 0 for one in levels for level in one):
        raise CalibrationError(
            f"{title}: a frame has no light above its dark level, so it cannot be scaled.",
            hint="Leave that frame out, or take the flats again with more light.",
        )


def _scale(levels: Levels) -> Scale:
    if len(levels) == 1:
        return levels[0]
    return (levels[0], levels[1], levels[2], levels[3])


# Rates


def _as_rates(ctx: JobContext, work: _Work) -> Stacked:
    """Combine darks into a rate; those of several exposures set by set, each with its weight."""
    sets = by_exposure(work.chosen.headers, work.recipe.tolerances)
    parts = ctx.split(*(float(len(one)) for one in sets))
    alone = len(sets) == 1
    found = [
        _combined(part, work, one, with_common=alone) for part, one in zip(parts, sets, strict=True)
    ]
    said = "Bias out, divided by the exposure: the dark signal of one second."
    if alone:
        return _stacked(work, found[0], sentences=(said,))
    times = [_exposure(work.chosen.headers[one[0]]) for one in sets]
    exponents = _must_scale(work.chosen.title, times, found)
    rates = [RateSet(one.image, one.unc, one.cnt, t) for one, t in zip(found, times, strict=True)]
    joined, shares = together(rates, work.room)
    # The bias is common to all frames; its part is that of the weighted mean of 1 / exposure.
    mean = sum(share / t for share, t in zip(shares, times, strict=True))
    bias = CommonUnc(work.taken, [mean])
    unc = work.room.plane(joined.unc.shape, np.float32)
    for rows in bands(joined.unc):
        common = bias.rows(rows.start, rows.stop) if bias.is_known else None
        unc.write(rows.start, with_subtrahend(joined.unc[rows], common, 1.0))
    how = " and ".join(
        f"{exposure(t)} ({count(len(one), 'frame')}, {significant(100 * share, 3)} %)"
        for t, one, share in zip(times, sets, shares, strict=True)
    )
    whole = _Combined(
        joined.image,
        unc.array,
        joined.cnt,
        _joined_reports(found, sets),
        _joined_scales(found, sets),
        (),
        None,
        _joined_maps(found, work.room),
    )
    sentences = (said, f"Rates of {how} combined by the inverse of their variance.", *exponents)
    return _stacked(work, whole, sentences=sentences)


def by_exposure(headers: Sequence[FrameHeader], tolerances: Tolerances) -> list[tuple[int, ...]]:
    """Sort frames into sets of one exposure, the shortest first; their places in the group."""
    order = sorted(range(len(headers)), key=lambda i: (_exposure(headers[i]), i))
    sets: list[list[int]] = []
    for i in order:
        time = _exposure(headers[i])
        first = _exposure(headers[sets[-1][0]]) if sets else -1.0
        if sets and time - first <= exposure_tolerance_s(first, tolerances):
            sets[-1].append(i)
        else:
            sets.append([i])
    return [tuple(sorted(one)) for one in sets]


def _must_scale(title: str, times: Sequence[float], found: Sequence[_Combined]) -> tuple[str, ...]:
    """Say how the dark signal grows with the exposure.

    Raises
    ------
    CalibrationError
        It does not grow in proportion, so one rate for all exposures would be wrong.
    """
    levels = [
        dark_level(Pieces(Combination(one.image, times=t)), t)
        for one, t in zip(found, times, strict=True)
    ]
    exponents = growth_exponents(levels)
    for one in exponents:
        if one.is_off:
            raise CalibrationError(
                f"{title}: the {one.what} grows as t^{one.p:.2f}, not in proportion to the "
                "exposure (limit 0.90 to 1.10), so darks of several exposures have no common rate.",
                hint="Make a master of each exposure: set dark.together = false in the recipe.",
            )
    return tuple(
        f"The {e.what} grows as t^{e.p:.2f} (sigma {significant(e.sigma, 2)}): it scales."
        for e in exponents
    )


def _joined_reports(found: Sequence[_Combined], sets: Sequence[Sequence[int]]) -> CombineReport:
    reports = [one.report for one in found]
    frames = dict(
        pair
        for one, report in zip(sets, reports, strict=True)
        for pair in zip(one, report.frames, strict=True)
    )
    most = max(reports, key=lambda r: r.n_frames)
    return replace(
        most,
        n_frames=len(frames),
        frames=tuple(frames[i] for i in sorted(frames)),
        n_rejected_low=sum(r.n_rejected_low for r in reports),
        n_rejected_high=sum(r.n_rejected_high for r in reports),
        n_held=sum(r.n_held for r in reports),
        seconds=sum(r.seconds for r in reports),
        megapixels=sum(r.megapixels for r in reports),
    )


def _joined_maps(found: Sequence[_Combined], room: Room) -> Rejected | None:
    maps = [one.rejected for one in found if one.rejected is not None]
    if not maps:
        return None
    sums = []
    for which in (0, 1):
        planes = [one[which] for one in maps]
        sums.append(room.plane(planes[0].shape, np.uint16))
        for rows in bands(*planes):
            total = np.sum([plane[rows] for plane in planes], axis=0, dtype=np.uint16)
            sums[-1].write(rows.start, np.asarray(total))
    return sums[0].array, sums[1].array


def _joined_scales(found: Sequence[_Combined], sets: Sequence[Sequence[int]]) -> tuple[Scale, ...]:
    scales = dict(
        pair
        for one, part in zip(found, sets, strict=True)
        for pair in zip(part, one.scales or (), strict=True)
    )
    return tuple(scales[i] for i in sorted(scales))
