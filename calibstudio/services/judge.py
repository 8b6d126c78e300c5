"""Frames, sets and masters on disk, measured and judged (RULES 7)."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import PRIMARY, only_detectors
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext, heeding
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.overscan import OverscanSettings
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.imaging.combine_share import FRAMES, Space
from calibstudio.imaging.quality import (
    FrameContext,
    find_outliers,
    measure_frame,
)
from calibstudio.imaging.quality_frame import CONVERTER_ENDS
from calibstudio.services.import_frames import read_one
from calibstudio.services.judge_masters import judge_master
from calibstudio.services.overscan import only_data, read_treated
from calibstudio.services.rig_limits import NO_RIGS, RigLimits
from calibstudio.services.rig_overscan import with_stated_sections
from calibstudio.store.pixels import read_image

SETTINGS = ("camera", "gain", "offset", "binning", "readout_mode", "shape")
"""What a bias must share with a frame for its level to be that frame's."""

ELECTRONS = "e\u207b"

UNLIKE = 10.0
"""Two biases whose levels are further apart than so many noises contradict each other."""


def frame_context(
    header: FrameHeader,
    *,
    bias_level_adu: float | None = None,
    held_temp_c: float | None = None,
) -> FrameContext:
    """Return what a header says that judging needs; a rig's own knowledge is added by `replace`."""
    return FrameContext(
        kind=header.kind or "",
        bayer=header.bayer,
        exposure_s=header.exposure_s,
        sensor_temp_c=header.sensor_temp_c,
        set_temp_c=header.set_temp_c,
        held_temp_c=held_temp_c,
        # What is in electrons already is 1 electron for each step of its numbers.
        egain_e_per_adu=1.0 if header.unit == ELECTRONS else header.egain_e_per_adu,
        saturation_adu=header.saturation_adu,
        bias_level_adu=bias_level_adu,
    )


def held_temperatures(
    groups: Iterable[Group], headers: Mapping[Path, FrameHeader]
) -> dict[Path, float]:
    """Return the temperature of frames whose whole group was taken away from its set point.

    The cooler was still on its way, or could not get there. Together such frames are a set of
    their own temperature (the median of what was measured), and are judged by that one.
    """
    limit = Tolerances().sensor_temp_c
    found: dict[Path, float] = {}
    for group in groups:
        frames = [headers[path] for path in group.frames]
        pairs = [
            (h.sensor_temp_c, h.set_temp_c)
            for h in frames
            if h.sensor_temp_c is not None and h.set_temp_c is not None
        ]
        if not pairs:
            continue
        held = median(sensor for sensor, _ in pairs)
        if abs(held - median(wanted for _, wanted in pairs)) > limit:
            found |= dict.fromkeys(group.frames, held)
    return found


def same_settings(one: FrameHeader, other: FrameHeader) -> bool:
    """Whether two frames come from the same camera with the same settings; unknown is not known."""
    return all(getattr(one, word) == getattr(other, word) for word in SETTINGS)


class JudgeCache:
    """Verdicts of files that have not changed since, in memory. Safe from any thread."""

    def __init__(self, at_most: int = 50_000) -> None:
        self._at_most = at_most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Assessment] = OrderedDict()

    def get(self, header: FrameHeader, *asked: object) -> Assessment | None:
        """Return the verdict on this state of the file with what was known then, or None."""
        with self._lock:
            return self._kept.get(self._key(header, asked))

    def keep(self, assessment: Assessment, header: FrameHeader, *asked: object) -> None:
        """Remember a verdict; the oldest is forgotten when there are too many."""
        with self._lock:
            self._kept[self._key(header, asked)] = assessment
            while len(self._kept) > self._at_most:
                self._kept.popitem(last=False)

    @staticmethod
    def _key(header: FrameHeader, asked: tuple[object, ...]) -> tuple[object, ...]:
        return (header.path, header.file_bytes, header.file_mtime_ns, *asked)


def judge_files(
    ctx: JobContext,
    files: Iterable[FrameHeader | Path],
    *,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    cache: JudgeCache | None = None,
    known: Callable[[FrameContext], FrameContext] | None = None,
    held: Mapping[Path, float] | None = None,
    space: Space = FRAMES,
    rigs: RigLimits = NO_RIGS,
) -> dict[Path, Assessment]:
    """Measure and judge frames and masters, each by itself.

    Parameters
    ----------
    ctx
        Progress and cancel.
    files
        Headers, or paths whose headers are read here.
    cache
        Verdicts of earlier calls; files that have not changed are not read again.
    known
        Adds what a rig knows of its camera (largest value, gain, read noise) to a frame's
        context.
    held
        Of `held_temperatures`, where the frames are grouped already.
    space
        Memory for the frames that are looked at side by side.
    rigs
        Rigs whose own limits, and what they state of their camera, count for their frames.

    Returns
    -------
    dict
        By path, in the order given. A file that cannot be read is judged BAD, with the reason.
        Biases and master biases are judged first: their level is taken out of darks and flats
        of the same camera and settings. Of files with several images the worst is shown.

    Raises
    ------
    Cancelled
        When asked to stop.
    """
    run = _Run(thresholds, cache, known, held or {}, space, rigs)
    with heeding(ctx.token):
        return _judge_files(ctx, list(files), run)


def _judge_files(
    ctx: JobContext, files: list[FrameHeader | Path], run: _Run
) -> dict[Path, Assessment]:
    results: dict[Path, Assessment] = {}
    headers = _read_headers(files, results)
    biases = [h for h in headers if h.kind == FrameKind.BIAS]
    others = [h for h in headers if h.kind != FrameKind.BIAS]
    first, second = ctx.split(max(len(biases), 0.01), max(len(others), 0.01))
    results.update(run.all(first, biases, {}))
    levels = {h.path: _bias_level(h, biases, results) for h in others}
    results.update(run.all(second, others, levels))
    results.update(run.again_with_higher(headers, levels, results))
    order = [f if isinstance(f, Path) else f.path for f in files]
    return {path: results[path] for path in order}


def _read_headers(
    files: Iterable[FrameHeader | Path], results: dict[Path, Assessment]
) -> list[FrameHeader]:
    headers = []
    for file in files:
        if isinstance(file, FrameHeader):
            headers.append(file)
            continue
        try:
            headers.append(read_one(file))
        except CalibStudioError as error:
            results[file] = unreadable(error)
    return headers


def _converter(header: FrameHeader) -> tuple[object, ...]:
    return (header.camera, header.serial, header.readout_mode, header.binning)


def unreadable(error: CalibStudioError) -> Assessment:
    """Return the verdict on a file that cannot be read."""
    finding = Finding(Verdict.BAD, "cannot be read", str(error), cure=error.hint)
    return Assessment((), (finding,))


def usable_biases(
    header: FrameHeader, biases: Sequence[FrameHeader], results: Mapping[Path, Assessment]
) -> list[FrameHeader]:
    """Return the biases of the same camera and settings whose level may be taken for a frame's.

    Left out are biases that are BAD, and those whose level is unlike that of the others. Two
    that contradict each other leave none.
    """
    same = [
        b
        for b in biases
        if same_settings(b, header)
        and results[b.path].verdict is not Verdict.BAD
        and results[b.path].value("level") is not None
    ]
    levels = [results[b.path].value("level") or 0.0 for b in same]
    noises = [noise for b in same if (noise := results[b.path].value("noise")) is not None]
    noise = float(np.median(noises)) if noises else 0.0
    if len(levels) == 2 and noise > 0 and abs(levels[0] - levels[1]) > UNLIKE * noise:
        return []
    odd = find_outliers(levels, what="Level", unit="ADU", least_sigma=0.2 * noise)
    return [b for i, b in enumerate(same) if i not in odd]


def _bias_level(
    header: FrameHeader, biases: Sequence[FrameHeader], results: Mapping[Path, Assessment]
) -> float | None:
    """Return the median level of the biases that may be used."""
    levels = [results[b.path].value("level") or 0.0 for b in usable_biases(header, biases, results)]
    return float(np.median(levels)) if levels else None


@dataclass(frozen=True, slots=True)
class _Run:
    """Judges many files with the same limits, several at once."""

    thresholds: Thresholds
    cache: JudgeCache | None
    known: Callable[[FrameContext], FrameContext] | None
    held: Mapping[Path, float]
    space: Space
    rigs: RigLimits

    def all(
        self,
        ctx: JobContext,
        headers: Sequence[FrameHeader],
        bias_levels: Mapping[Path, float | None],
    ) -> dict[Path, Assessment]:
        """Judge all, reading and measuring in a few threads (numpy lets go of the interpreter)."""
        results: dict[Path, Assessment] = {}
        todo = list(headers)
        workers = min(4, os.cpu_count() or 1)
        running: dict[Future[Assessment], FrameHeader] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="judge") as pool:
            try:
                while todo or running:
                    # Before a frame is begun: one of 61 megapixels takes seconds.
                    ctx.token.check()
                    while todo and len(running) < workers:
                        header = todo.pop(0)
                        level = bias_levels.get(header.path)
                        # Each in a context of its own, so that it hears a cancel between its steps.
                        own = copy_context()
                        running[pool.submit(own.run, self.one, header, level)] = header
                    done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in done:
                        header = running.pop(future)
                        results[header.path] = future.result()
                    text = f"{len(results)} of {len(headers)} frames judged"
                    ctx.progress(0.999 * len(results) / len(headers), text)
            finally:
                for future in running:
                    future.cancel()
        ctx.progress(1.0)
        return results

    def again_with_higher(
        self,
        headers: Sequence[FrameHeader],
        bias_levels: Mapping[Path, float | None],
        results: Mapping[Path, Assessment],
    ) -> dict[Path, Assessment]:
        """Judge frames again that ended at a converter's end where others of the camera go on."""
        highest: dict[tuple[object, ...], float] = {}
        for header in headers:
            if not header.is_master:
                seen = results[header.path].value("maximum") or 0.0
                key = _converter(header)
                highest[key] = max(seen, highest.get(key, 0.0))
        again = {}
        for header in headers:
            value = results[header.path].value("maximum")
            seen = highest.get(_converter(header), 0.0)
            if header.is_master or value not in CONVERTER_ENDS or seen <= value:
                continue
            if header.saturation_adu is None:
                again[header.path] = self.one(header, bias_levels.get(header.path), seen)
        return again

    def one(
        self, header: FrameHeader, bias_level: float | None, seen_adu: float | None = None
    ) -> Assessment:
        """Judge one file, or remember it."""
        held = self.held.get(header.path)
        context = frame_context(header, bias_level_adu=bias_level, held_temp_c=held)
        context = self.rigs.context(header, replace(context, seen_adu=seen_adu))
        thresholds, _ = self.rigs.of(header, self.thresholds)
        data = with_stated_sections(OverscanSettings(), [header], self.rigs)[0].data
        if self.known is not None:
            context = self.known(context)
        if self.cache is not None:
            kept = self.cache.get(header, context, thresholds, data)
            if kept is not None:
                return kept
        try:
            with self.space.taken(frame_bytes(header)):
                found = self._measure(header, context, thresholds, data)
        except CalibStudioError as error:
            return unreadable(error)
        if self.cache is not None:
            self.cache.keep(found, header, context, thresholds, data)
        return found

    def _measure(
        self, header: FrameHeader, context: FrameContext, thresholds: Thresholds, data: str
    ) -> Assessment:
        if header.is_master:
            return judge_master(header, thresholds, bias_level_adu=context.bias_level_adu)
        judged = {
            name: measure_frame(read_pixels(header, name, data=data), context, thresholds)
            for name in names_of_images(header)
        }
        return with_kind_in_doubt(in_its_unit(worst_of_images(judged), header), header)


def frame_bytes(header: FrameHeader) -> int:
    """Return what a frame takes while it is looked at whole."""
    ny, nx = header.shape or (0, 0)
    # Raw frames have 16 bits; masters and what is in another unit are floating point.
    return ny * nx * (4 if header.is_master or header.unit else 2)


def in_its_unit(assessment: Assessment, header: FrameHeader) -> Assessment:
    """Say the numbers in the unit of the pixels, and warn where it is not ADU."""
    if not header.unit:
        return assessment

    def said(text: str) -> str:
        return text.replace("ADU", header.unit)

    metrics = [
        m if m.name == "egain" else replace(m, unit=said(m.unit), why=said(m.why))
        for m in assessment.metrics
    ]
    findings = [replace(f, what=said(f.what)) for f in assessment.findings]
    card = header.origin.get("unit", "header")
    finding = Finding(
        Verdict.WARN,
        "not in ADU",
        f"Its pixels are in {header.unit} ({card}), not in ADU.",
        cause="another program has changed the values of this frame.",
        cure="Use the raw files of the camera for masters.",
        metric="level",
    )
    return Assessment(tuple(metrics), (*findings, finding))


def with_kind_in_doubt(assessment: Assessment, header: FrameHeader) -> Assessment:
    """Add a warning where the names of file or folders say another kind than the header."""
    if header.path_kind is None or header.path_kind == header.kind:
        return assessment
    said = f"Header says {header.kind}, the name says {header.path_kind}."
    what = next((n for n in header.notes if n.startswith(f"Header says {header.kind},")), said)
    finding = Finding(
        Verdict.WARN,
        "kind in doubt",
        what,
        cause="the frame was taken with the wrong frame type, or filed in the wrong place.",
        cure="Look at the picture; correct the kind in Frames, or move the file.",
    )
    return replace(assessment, findings=(*assessment.findings, finding))


def names_of_images(header: FrameHeader) -> tuple[str, ...]:
    """Return the names that `read_pixels` takes for the detectors of a file."""
    return ("",) if len(header.images) <= 1 else only_detectors(header.images)


def read_pixels(
    header: FrameHeader,
    image: str = "",
    overscan: OverscanSettings | None = None,
    data: str = "",
) -> NDArray[Any]:
    """Read one image of a frame, with an earlier program's pedestal undone.

    Of a frame that says where its data lies only that: an overscan is no picture. Its level is
    taken out where ``overscan`` says so. ``data``: section of the data where no header says it.
    """
    if overscan is not None and overscan.active:
        pixels: NDArray[Any] = read_treated(header.path, image, overscan)
    else:
        pixels = read_image(header.path, image)
    if (header.sections or data) and (overscan is None or not overscan.active):
        pixels = only_data(pixels, header.path, image, "" if header.sections else data)
    return pixels + np.float32(header.pedestal_adu) if header.pedestal_adu else pixels


_OF_EACH_IMAGE = ("level", "noise")
"""Metrics that are said of every image of a file."""


def worst_of_images(judged: Mapping[str, Assessment]) -> Assessment:
    """Return the verdict on a file of several images: the worst one's numbers, all findings."""
    if len(judged) == 1:
        return next(iter(judged.values()))
    worst = max(judged, key=lambda name: judged[name].verdict.severity)
    findings = tuple(
        replace(f, what=f"{name or 'first image'}: {f.what}")
        for name, assessment in judged.items()
        for f in assessment.findings
    )
    note = Metric(
        "image", "Image", None, "", why=f"The numbers are those of {worst or 'the first'}."
    )
    own = [
        replace(m, name=f"{m.name} {name or PRIMARY}", label=f"{m.label} of {name or PRIMARY}")
        for name, assessment in judged.items()
        for m in assessment.metrics
        if m.name in _OF_EACH_IMAGE
    ]
    return Assessment((*judged[worst].metrics, note, *own), findings)
