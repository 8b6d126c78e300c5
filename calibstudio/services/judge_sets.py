"""The frames of a group judged together, alone and beside bias frames (RULES 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.overscan import OverscanSettings
from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.imaging.quality import FrameContext, SetAssessment, measure_set
from calibstudio.imaging.quality_sets import measure_set_alone_and_beside
from calibstudio.services.judge import (
    frame_context,
    held_temperatures,
    names_of_images,
    read_pixels,
    worst_of_images,
)


def judge_set(
    ctx: JobContext,
    group: Group,
    headers: Mapping[Path, FrameHeader],
    *,
    biases: Sequence[FrameHeader] = (),
    files: Mapping[Path, Assessment] | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    known: Callable[[FrameContext], FrameContext] | None = None,
    overscan: OverscanSettings | None = None,
) -> SetAssessment:
    """Measure and judge the frames of a group together.

    Parameters
    ----------
    group
        Its frames, in the order they were taken.
    headers
        Of all frames of the group, by path.
    biases
        Bias frames of the same settings, where there are some: dark current and photon transfer
        come from them.
    files
        What `judge_files` said of each frame, where that is known: BAD frames are left out.
    overscan
        What is done with the overscan of every frame first. None: nothing.

    Returns
    -------
    SetAssessment
        Positions in its ``outliers`` are those in ``group.frames``. Of files with several
        images the worst image's numbers and every image's findings and outliers.

    Raises
    ------
    Cancelled
        When asked to stop.
    """
    frames = [headers[path] for path in group.frames]
    contexts = _contexts(group, headers, known)
    images = _in_all(frames)
    judged: dict[str, SetAssessment] = {}
    for name, part in zip(images, ctx.split(*[1.0] * len(images)), strict=True):
        judged[name] = measure_set(
            group.kind,
            [_loader(h, name, overscan) for h in frames],
            contexts,
            names=[h.path.name for h in frames],
            biases=[_loader(h, name, overscan) for h in biases],
            judged=[] if files is None else [files[p] for p in group.frames],
            thresholds=thresholds,
            ctx=part,
        )
    return _of_all_images(judged)


def judge_set_alone_and_beside(
    ctx: JobContext,
    group: Group,
    headers: Mapping[Path, FrameHeader],
    *,
    biases: Sequence[FrameHeader],
    bias_level_adu: float | None = None,
    overscan: OverscanSettings | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> tuple[SetAssessment, SetAssessment]:
    """Judge the frames of a group twice, reading them once: alone, and beside bias frames.

    Parameters
    ----------
    bias_level_adu
        Level of what is taken out of the frames, where something is: it is theirs, not of what
        happens to be around.

    Returns
    -------
    tuple
        What the frames say by themselves, and what they say with the bias frames.
    """
    frames = [headers[path] for path in group.frames]
    contexts = _contexts(group, headers, lambda c: replace(c, bias_level_adu=bias_level_adu))
    images = _in_all(frames)
    alone: dict[str, SetAssessment] = {}
    beside: dict[str, SetAssessment] = {}
    for name, part in zip(images, ctx.split(*[1.0] * len(images)), strict=True):
        alone[name], beside[name] = measure_set_alone_and_beside(
            group.kind,
            [_loader(h, name, overscan) for h in frames],
            contexts,
            names=[h.path.name for h in frames],
            biases=[_loader(h, name, overscan) for h in biases],
            thresholds=thresholds,
            ctx=part,
        )
    return _of_all_images(alone), _of_all_images(beside)


def _contexts(
    group: Group,
    headers: Mapping[Path, FrameHeader],
    known: Callable[[FrameContext], FrameContext] | None,
) -> list[FrameContext]:
    held = held_temperatures([group], headers)
    found = [frame_context(headers[p], held_temp_c=held.get(p)) for p in group.frames]
    return found if known is None else [known(c) for c in found]


def _of_all_images(judged: Mapping[str, SetAssessment]) -> SetAssessment:
    together = worst_of_images(judged)
    outliers = {i: reason for found in judged.values() for i, reason in found.outliers.items()}
    return SetAssessment(together.metrics, together.findings, dict(sorted(outliers.items())))


def _in_all(frames: Sequence[FrameHeader]) -> tuple[str, ...]:
    """Return the images that all frames have, by the names that the first gives them."""
    if not frames:
        return ("",)
    held = [{name.upper() for name in names_of_images(h)} for h in frames]
    first = names_of_images(frames[0])
    return tuple(n for n in first if all(n.upper() in names for names in held)) or first


def _loader(
    header: FrameHeader, image: str, overscan: OverscanSettings | None
) -> Callable[[], NDArray[Any]]:
    return lambda: read_pixels(header, image, overscan)
