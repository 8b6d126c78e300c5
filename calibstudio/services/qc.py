"""Everything that can be said about some files: each alone, and those that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Group, LeftOut
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import CALIBRATION_KINDS, FrameKind
from calibstudio.domain.quality import Assessment, Metric
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.domain.verdict_words import BIAS_UNKNOWN
from calibstudio.imaging.quality import DarkPoint, SetAssessment, judge_dark_proportion
from calibstudio.services.import_frames import scan
from calibstudio.services.judge import (
    JudgeCache,
    held_temperatures,
    judge_files,
    same_settings,
    usable_biases,
)
from calibstudio.services.judge_sets import judge_set
from calibstudio.services.qc_copies import find_copies_across
from calibstudio.services.rig_limits import NO_RIGS, RigLimits

_OF_ONE_GROUP = frozenset(
    ["n_frames", "level", "level_spread", "level_jump", "bias_drift", "level_drift", "noise",
     "duplicates", "outliers", "bad_frames", "gradient_change",
     "temperature_spread", "temporal_noise", "hot_pixels", "snr"]
)  # fmt: skip
"""Metrics that mean something for their own group only; the others speak of the camera."""


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """A group of frames, judged together."""

    group: Group
    title: str
    assessment: SetAssessment

    @property
    def left_out(self) -> dict[Path, str]:
        """Frames that do not belong, with the reason."""
        return {self.group.frames[i]: why for i, why in self.assessment.outliers.items()}


@dataclass(frozen=True, slots=True)
class QcReport:
    """What was found about some files."""

    headers: Mapping[Path, FrameHeader]
    files: Mapping[Path, Assessment]
    sets: tuple[JudgedSet, ...]
    across: Assessment
    """What darks of several exposures say together; empty without them."""
    unread: tuple[LeftOut, ...]
    """Files that could not be read at all."""
    ignored: tuple[LeftOut, ...]
    """Files that are no frames."""

    def set_metrics(self) -> tuple[Metric, ...]:
        """Return the metrics of all sets as one list: of a single set all of them.

        Of several sets only what speaks of the camera (read noise, gain, dark current); a value
        measured from the richer set, flats with biases, is taken before another.
        """
        if len(self.sets) == 1:
            return (*self.sets[0].assessment.metrics, *self.across.metrics)
        found: dict[str, Metric] = {}
        for judged in self.sets:
            for metric in judged.assessment.metrics:
                if metric.name in _OF_ONE_GROUP:
                    continue
                if metric.value is not None or metric.name not in found:
                    found[metric.name] = metric
        return (*found.values(), *self.across.metrics)

    def said_once(self, judged: JudgedSet) -> str:
        """Return the sentence that all frames of a set would repeat; empty when none does."""
        metrics = (m for path in judged.group.frames for m in self.files[path].metrics)
        return BIAS_UNKNOWN if any(BIAS_UNKNOWN in m.why for m in metrics) else ""

    def without_repeats(self, path: Path) -> Assessment:
        """Return what was said of a file, less what its set says once for all its frames."""
        assessment = self.files[path]
        if not any(path in judged.group.frames for judged in self.sets):
            return assessment
        metrics = tuple(
            replace(m, why=m.why.replace(BIAS_UNKNOWN, "").replace("  ", " ").strip())
            for m in assessment.metrics
        )
        return replace(assessment, metrics=metrics)


def examine(
    ctx: JobContext,
    paths: Sequence[Path],
    *,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    cache: JudgeCache | None = None,
    rigs: RigLimits = NO_RIGS,
) -> QcReport:
    """Judge files one by one and in their sets.

    Parameters
    ----------
    paths
        Files, and folders that are searched.
    rigs
        Rigs whose own limits count for their frames.

    Raises
    ------
    UsageError
        A path does not exist.
    Cancelled
        When asked to stop.
    """
    scanning, single, comparing, together = ctx.split(1, 10, 1, 10)
    found = scan(scanning, paths)
    headers = {h.path: h for h in found.headers}
    groups = group_frames(headers.values()).groups
    held = held_temperatures(groups, headers)
    files = judge_files(
        single, found.headers, thresholds=thresholds, cache=cache, held=held, rigs=rigs
    )
    files = files | find_copies_across(comparing, groups, headers, files)
    sets = _judge_sets(together, groups, headers, files, thresholds, rigs)
    across = _across_darks(headers, files, sets, thresholds)
    ctx.progress(1.0)
    return QcReport(headers, files, sets, across, found.ungrouped, found.ignored)


def _judge_sets(
    ctx: JobContext,
    groups: Sequence[Group],
    headers: Mapping[Path, FrameHeader],
    files: Mapping[Path, Assessment],
    thresholds: Thresholds,
    rigs: RigLimits,
) -> tuple[JudgedSet, ...]:
    titles = group_titles(groups)
    wanted = [g for g in groups if g.kind in CALIBRATION_KINDS]
    wanted = [g for g in wanted if len(g.frames) > 1 or (g.kind == FrameKind.DARK and wanted[1:])]
    biases = [headers[p] for g in groups if g.kind == FrameKind.BIAS for p in g.frames]
    judged = []
    for group, part in zip(wanted, ctx.split(*[len(g.frames) for g in wanted]), strict=True):
        own: list[FrameHeader] = []
        if group.kind != FrameKind.BIAS:
            own = _biases_for(headers[group.frames[0]], biases, files)
        limits, _ = rigs.of(headers[group.frames[0]], thresholds)
        found = judge_set(part, group, headers, biases=own, files=files, thresholds=limits)
        judged.append(JudgedSet(group, titles[group.id], found))
    order = {kind: i for i, kind in enumerate(CALIBRATION_KINDS)}
    return tuple(sorted(judged, key=lambda j: order[FrameKind(j.group.kind)]))


def _biases_for(
    frame: FrameHeader, biases: Sequence[FrameHeader], files: Mapping[Path, Assessment]
) -> list[FrameHeader]:
    """Return the biases of the same settings that may be used, of the nearest temperature."""
    same = usable_biases(frame, biases, files)
    if frame.sensor_temp_c is None or not all(b.sensor_temp_c is not None for b in same):
        return same

    def away(bias: FrameHeader) -> float:
        return abs((bias.sensor_temp_c or 0.0) - (frame.sensor_temp_c or 0.0))

    nearest = min((away(b) for b in same), default=0.0)
    return [b for b in same if away(b) <= nearest + 2.0]


def _across_darks(
    headers: Mapping[Path, FrameHeader],
    files: Mapping[Path, Assessment],
    sets: Sequence[JudgedSet],
    thresholds: Thresholds,
) -> Assessment:
    """Judge whether dark signals of several exposures are proportional to time."""
    points: list[tuple[FrameHeader, DarkPoint]] = []
    for judged in sets:
        header = headers[judged.group.frames[0]]
        if judged.group.kind == FrameKind.DARK:
            points += _point(header, judged.assessment)
    for path, assessment in files.items():
        if headers[path].is_master and headers[path].kind == FrameKind.DARK:
            points += _point(headers[path], assessment)
    families: list[list[tuple[FrameHeader, DarkPoint]]] = []
    for header, point in points:
        family = next((f for f in families if same_settings(f[0][0], header)), None)
        if family is None:
            families.append([(header, point)])
        else:
            family.append((header, point))
    several = [f for f in families if len({p.exposure_s for _, p in f}) > 1]
    if not several:
        return Assessment()
    judged_all = [judge_dark_proportion([p for _, p in f], thresholds) for f in several]
    return max(judged_all, key=lambda a: a.verdict.severity)


def _point(header: FrameHeader, assessment: Assessment) -> list[tuple[FrameHeader, DarkPoint]]:
    rate = assessment.value("dark_rate_adu")
    if rate is None or not header.exposure_s:
        return []
    signal = rate * header.exposure_s
    return [(header, DarkPoint(header.exposure_s, signal, header.sensor_temp_c))]
