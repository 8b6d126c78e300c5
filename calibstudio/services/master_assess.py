"""A master judged: its planes, what its frames say together, and what its making says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.judged_beside import Beside, beside_of
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.planes import CutRows, Pieces, bands
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.wording import count
from calibstudio.imaging.combine import CombineReport
from calibstudio.imaging.quality import MasterContext, SetAssessment, measure_master
from calibstudio.imaging.quality_context import COVERED
from calibstudio.services.judge import worst_of_images
from calibstudio.services.master_images import shifted_bayer
from calibstudio.services.master_parts import Chosen, Stacked, Surroundings
from calibstudio.services.master_stack import is_rate
from calibstudio.services.master_subtract import NOTHING
from calibstudio.services.master_take import MasterRows, image_rows
from calibstudio.services.master_values import CommonValues
from calibstudio.services.overscan import data_plan
from calibstudio.store.master_read import open_pixels


@dataclass(frozen=True, slots=True)
class _With:
    """What a master is judged with beside its own planes."""

    in_set: SetAssessment | None
    bias: MasterRecord | None
    bias_level_adu: float | None


def assess(
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    common: CommonValues,
    stacked: Sequence[Stacked],
) -> tuple[Assessment, Beside | None]:
    """Judge the master, and add what its frames together and its making say.

    Returns
    -------
    tuple
        The judgement that follows from the frames and from what is taken out of them: it goes
        into the file, and the same frames give it anywhere. And what a bias of the library and
        bias frames of the same run add to it, for the library; None where there are none.
    """
    pedestal = around.subtraction.pedestal_adu
    alone = _With(around.alone, around.own_bias, pedestal)
    own = _judged(chosen, around, recipe, common, stacked, alone)
    level = None if around.bias is None else around.bias.assessment.value("level")
    more = _With(around.beside, around.bias or alone.bias, pedestal if level is None else level)
    cause = around.subtraction.cause
    if (more.in_set in (None, alone.in_set) and more.bias == alone.bias) and not cause:
        return own, None
    whole = _judged(chosen, around, recipe, common, stacked, more)
    if cause:
        findings = [replace(f, cause=cause) if f.title == NOTHING else f for f in whole.findings]
        whole = replace(whole, findings=tuple(findings))
    name = "" if around.bias is None else around.bias.path.name
    return own, beside_of(own, whole, name)


def _judged(
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    common: CommonValues,
    stacked: Sequence[Stacked],
    known: _With,
) -> Assessment:
    judged = {s.detector.name: _measure(chosen, around, recipe, common, s, known) for s in stacked}
    found = worst_of_images(judged)
    metrics, findings = list(found.metrics), list(found.findings)
    if known.in_set is not None:
        names = {m.name for m in metrics}
        metrics += [m for m in known.in_set.metrics if m.name not in names]
        kept = {m.name for m in metrics} - names
        findings += [f for f in known.in_set.findings if not f.metric or f.metric in kept]
    findings += around.subtraction.findings
    findings += [f for s in stacked if (f := _marked(s.report)) is not None]
    return Assessment(tuple(metrics), tuple(findings))


def _measure(
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    common: CommonValues,
    stacked: Stacked,
    known: _With,
) -> Assessment:
    def value(word: str) -> float | None:
        found = common.values.get(word)
        return float(found) if isinstance(found, (int, float)) else None

    kind, detector = chosen.group.kind, stacked.detector
    bias_image: MasterRows | None = None
    if known.bias is not None and kind in (FrameKind.DARK, FrameKind.DARK_FLAT):
        bias = open_pixels(known.bias.path)
        if (detector.name or "") in bias.detectors:
            bias_image = image_rows(bias, detector.name)
    shares = [f.fraction for f in stacked.report.frames]
    measured = _of_set(known.in_set)
    gain = measured("egain")
    same_as_bias = bias_image is not None and _is_copy(detector.image, bias_image)
    image, unc, cnt = detector.image, detector.unc, detector.cnt
    bayer = chosen.headers[0].bayer
    bias_pieces = None if bias_image is None else Pieces(bias_image)
    data = _data_of(chosen, detector.name, image.shape)
    if data is not None:
        image, unc, cnt = image[data], unc[data], cnt[data]
        bayer = shifted_bayer(bayer, data[0].start, data[1].start)
        bias_pieces = None if bias_image is None else Pieces(CutRows(bias_image, data))
    context = MasterContext(
        n_frames=len(chosen.headers),
        n_wanted=recipe.wanted_frames.get(kind),
        unit="" if kind == FrameKind.FLAT else "adu/s" if is_rate(kind, recipe) else "adu",
        bayer=bayer,
        exposure_s=value("exposure_s"),
        sensor_temp_c=value("sensor_temp_c"),
        set_temp_c=value("set_temp_c"),
        # What photon transfer measured counts more than what the header says (RULES 7).
        egain_e_per_adu=value("egain_e_per_adu") if gain is None else gain,
        read_noise_e=measured("read_noise"),
        input_noise_adu=measured("temporal_noise") if kind in COVERED else None,
        bias_level_adu=known.bias_level_adu,
        bias_subtracted=around.subtraction.bias_out,
        input_levels_adu=tuple(
            level
            for h in chosen.headers
            if (level := chosen.levels_adu.get(h.path)) is not None and isfinite(level)
        ),
        rejected_fraction=float(np.mean(shares)) if shares else None,
    )
    found = measure_master(kind, image, unc, cnt, context, around.thresholds, bias=bias_pieces)
    return replace(found, findings=(*found.findings, _COPY_OF_BIAS)) if same_as_bias else found


def _data_of(chosen: Chosen, detector: str, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Return where the picture lies in a master whose overscan was left in; None: everywhere.

    An overscan is no picture: with it a level would be too low, and its edge a structure.
    """
    first = chosen.headers[0]
    if chosen.overscan.trim or not (first.sections or chosen.overscan.data):
        return None
    plan = data_plan(first.path, detector, (shape[0], shape[1]), chosen.overscan.data)
    if plan is None or len(plan.rows) > 1 or len(plan.columns) > 1:
        return None
    return slice(*plan.rows[0]), slice(*plan.columns[0])


def _is_copy(image: NDArray[np.float32], other: MasterRows) -> bool:
    return image.shape == other.shape and all(
        np.array_equal(image[rows], other[rows]) for rows in bands(image)
    )


def _of_set(in_set: SetAssessment | None) -> Callable[[str], float | None]:
    """Return what the frames together measured, above 0, by name of the metric."""

    def value(name: str) -> float | None:
        found = None if in_set is None else in_set.value(name)
        return found if found is not None and isfinite(found) and found > 0 else None

    return value


_COPY_OF_BIAS = Finding(
    Verdict.BAD,
    "copy of the bias",
    "This dark has the very same pixels as the bias.",
    cause="the frames are biases with another header, or were copied.",
    cure="Look at the frames, and take the darks again.",
)


def _marked(report: CombineReport) -> Finding | None:
    """Say which frames lost more than noise explains (RULES 4)."""
    if not report.marked:
        return None
    worst = max(report.marked, key=lambda f: f.fraction)
    return Finding(
        Verdict.WARN,
        "frames stand out",
        f"{count(len(report.marked), 'frame')} lost more pixels than noise explains: "
        f"{Path(worst.name).name} {100 * worst.fraction:.1f} %, "
        f"expected {100 * report.expected_share:.1f} %.",
        cause="a satellite, a passing cloud, light in the dark, or another setting.",
        cure="Look at these frames; leave them out if they differ.",
    )
