"""Pictures that were saved under two headers: no other group's frame may hold the same pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.services.judge import names_of_images, read_pixels

_LOOK = ("level", "mean", "minimum", "maximum")
"""Metrics that copies have in common to the last digit; other frames practically never."""


def find_copies_across(
    ctx: JobContext,
    groups: Sequence[Group],
    headers: Mapping[Path, FrameHeader],
    files: Mapping[Path, Assessment],
) -> dict[Path, Assessment]:
    """Return the verdicts of frames that are copies of a frame of another group, made BAD.

    Frames are compared pixel by pixel where their numbers agree. The frame of the earlier group
    (biases come first) counts as the original. Copies inside a group are its set's own finding.

    Raises
    ------
    Cancelled
        When asked to stop.
    """
    alike: dict[tuple[object, ...], list[tuple[str, Path]]] = {}
    for group in groups:
        for path in group.frames:
            look = _look(headers[path], files[path])
            if look is not None:
                alike.setdefault(look, []).append((group.id, path))
    several = [found for found in alike.values() if len({group for group, _ in found}) > 1]
    copies: dict[Path, Assessment] = {}
    for i, found in enumerate(several):
        ctx.progress(i / len(several), "Comparing frames that look alike")
        for at, (group_id, path) in enumerate(found):
            original = next(
                (
                    earlier
                    for other_id, earlier in found[:at]
                    if other_id != group_id and _same_pixels(headers[earlier], headers[path])
                ),
                None,
            )
            if original is not None:
                copies[path] = _as_copy(files[path], headers[original])
    ctx.progress(1.0)
    return copies


def _look(header: FrameHeader, assessment: Assessment) -> tuple[object, ...] | None:
    """Return what copies share; None for frames without noise, which are alike anyway."""
    values = [assessment.value(name) for name in _LOOK]
    if None in values or values[2] == values[3] or not (assessment.value("noise") or 0.0) > 0:
        return None
    return (header.shape, len(names_of_images(header)), *values)


def _same_pixels(one: FrameHeader, other: FrameHeader) -> bool:
    names = names_of_images(one)
    if names != names_of_images(other):
        return False
    try:
        return all(np.array_equal(read_pixels(one, n), read_pixels(other, n)) for n in names)
    except CalibStudioError:
        return False


def _as_copy(assessment: Assessment, original: FrameHeader) -> Assessment:
    finding = Finding(
        Verdict.BAD,
        "copy of another frame",
        f"A copy of {original.path.name} under another header ({original.kind_word}): "
        "every pixel is the same.",
        cause="the same picture was saved twice, or a header was changed afterwards.",
        cure="Leave out the one whose header is wrong, and take that frame again.",
        metric="duplicates",
    )
    return replace(assessment, findings=(finding, *assessment.findings))
