"""Frames of one group, measured together: what one frame alone cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.imaging.quality_belonging import add_frames_judged, bad_frames
from calibstudio.imaging.quality_context import COVERED, DARK_LIKE, FrameContext
from calibstudio.imaging.quality_leak import add_leak
from calibstudio.imaging.quality_outliers import find_copies, find_outliers, odd_shapes
from calibstudio.imaging.quality_samples import Sample, take_sample, tiles_per_frame
from calibstudio.imaging.quality_set_metrics import (
    SetData,
    add_dark,
    add_drift,
    add_flat,
    add_noise,
    add_temperature,
)

FrameSource = NDArray[Any] | Callable[[], NDArray[Any]]
"""Pixels of a frame, or a function that reads them; only one frame is held at a time."""

_ASKED_OF: Mapping[str, tuple[str, ...]] = {
    FrameKind.BIAS: ("read_noise_adu", "read_noise"),
    FrameKind.DARK: ("noise", "dark_rate_adu", "hot_pixels"),
    FrameKind.DARK_FLAT: ("noise", "dark_rate_adu", "hot_pixels"),
    FrameKind.FLAT: ("egain", "master_snr"),
}
"""What a set is asked for: said to be not measured when none of its frames can be used."""

_NO_OUTLIERS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SetAssessment(Assessment):
    """An assessment of a group, with the frames that do not belong in it."""

    outliers: Mapping[int, str] = field(default_factory=lambda: _NO_OUTLIERS)
    """By position in the frames given: why, in one sentence."""


def measure_set(
    kind: str,
    frames: Sequence[FrameSource],
    contexts: Sequence[FrameContext],
    *,
    names: Sequence[str] = (),
    biases: Sequence[FrameSource] = (),
    judged: Sequence[Assessment] = (),
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    ctx: JobContext | None = None,
) -> SetAssessment:
    """Measure and judge the frames of one group, in the order they were taken.

    Parameters
    ----------
    kind
        ``bias``, ``dark``, ``dark flat``, ``flat`` or another word.
    frames
        Arrays of one shape, or functions that read them. A function may raise
        `CalibStudioError`: that frame is then an outlier with the error as its reason.
    contexts
        One for each frame.
    names
        File names, for the sentences; ``frame 1`` and so on when not given.
    biases
        Bias frames of the same setting, where there are some: give darks their dark current
        and flats their photon transfer.
    judged
        What was said of each frame by itself, where that is known: frames that are BAD are
        left out, and the set is at best as good as what is left of it.

    Returns
    -------
    SetAssessment
        Measured on the frames that belong; the others are in `outliers`.

    Raises
    ------
    Cancelled
        When ``ctx`` is asked to stop.

    Notes
    -----
    Of each frame the same evenly spread tiles are kept (up to 128 of 64 x 64 pixels), so that a
    set of any size needs the memory of one frame and about 35 MB, and as much for biases.
    """
    names = list(names) or [f"frame {i + 1}" for i in range(len(frames))]
    measured = _sampled(kind, frames, contexts, names, biases, judged, thresholds, ctx)
    return measured.assessed(measured.bias_samples)


def measure_set_alone_and_beside(
    kind: str,
    frames: Sequence[FrameSource],
    contexts: Sequence[FrameContext],
    *,
    names: Sequence[str],
    biases: Sequence[FrameSource] = (),
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    ctx: JobContext | None = None,
) -> tuple[SetAssessment, SetAssessment]:
    """Measure the frames of one group twice, reading them once: alone, and beside bias frames.

    What the frames say alone follows from them only, whatever else was taken. The arguments are
    those of `measure_set`.
    """
    measured = _sampled(kind, frames, contexts, names, biases, (), thresholds, ctx)
    alone = measured.assessed(())
    beside = measured.assessed(measured.bias_samples) if measured.bias_samples else alone
    return alone, beside


@dataclass(frozen=True, slots=True)
class _Sampled:
    """Frames that were read, and which of them do not belong."""

    kind: str
    samples: Sequence[Sample | None]
    bias_samples: Sequence[Sample]
    contexts: Sequence[FrameContext]
    names: Sequence[str]
    copies: Mapping[int, str]
    unfit: frozenset[int]
    """Broken, of another shape, or a copy."""
    bad: Mapping[int, str]
    outliers: Mapping[int, str]
    judged: Sequence[Assessment]
    thresholds: Thresholds

    def assessed(self, biases: Sequence[Sample]) -> SetAssessment:
        """Judge the frames that belong, with these bias frames."""
        judge, thresholds = Judge(self.kind), self.thresholds
        kept = [i for i in range(len(self.samples)) if i not in self.outliers]
        _add_belonging(judge, self.names, self.copies, self.outliers, self.bad, thresholds)
        has_leak = False
        if self.kind in DARK_LIKE:
            seen = [s for i, s in enumerate(self.samples) if s is not None and i not in self.unfit]
            has_leak = add_leak(judge, seen, thresholds)
        if self.judged:
            add_frames_judged(judge, self.names, self.judged, kept, thresholds)
        good = [s for i in kept if (s := self.samples[i]) is not None]
        if good:
            under = [s for s in biases if s.shape == good[0].shape]
            contexts = [self.contexts[i] for i in kept]
            _add_metrics(judge, SetData(self.kind, good, contexts, under, has_leak), thresholds)
        else:
            _say_none(judge, self.kind, all_bad=bool(self.bad))
        result = judge.result()
        return SetAssessment(result.metrics, result.findings, dict(sorted(self.outliers.items())))


def _sampled(
    kind: str,
    frames: Sequence[FrameSource],
    contexts: Sequence[FrameContext],
    names: Sequence[str],
    biases: Sequence[FrameSource],
    judged: Sequence[Assessment],
    thresholds: Thresholds,
    ctx: JobContext | None,
) -> _Sampled:
    # A few biases beside the frames do not change how much of the frames is looked at.
    at_most = tiles_per_frame(max(len(frames), len(biases)))
    bayer = contexts[0].bayer if contexts else None
    samples, broken = _sample_all(frames, names, bayer, at_most, ctx)
    bias_samples, _ = _sample_all(biases, ["bias"] * len(biases), bayer, at_most, None)
    outliers = {**broken, **odd_shapes(samples)}
    copies = find_copies(samples, names)
    outliers.update(copies)
    unfit = frozenset(outliers)
    bad = bad_frames(judged)
    outliers = {**bad, **outliers}
    outliers.update(_unlike(kind, samples, outliers, contexts, thresholds))
    known = [s for s in bias_samples if s is not None]
    return _Sampled(
        kind, samples, known, contexts, names, copies, unfit, bad, outliers, judged, thresholds
    )


def _say_none(judge: Judge, kind: str, *, all_bad: bool) -> None:
    """Say why nothing could be measured."""
    why = "every frame of the set is BAD by itself" if all_bad else "no frame can be used"
    for name in ("level", *_ASKED_OF.get(kind, ())):
        judge.missing(name, why)


def _add_metrics(judge: Judge, data: SetData, thresholds: Thresholds) -> None:
    add_noise(judge, data, thresholds)
    add_drift(judge, data, thresholds)
    add_temperature(judge, data, thresholds)
    if data.kind in DARK_LIKE:
        add_dark(judge, data, thresholds)
    if data.kind == FrameKind.FLAT:
        add_flat(judge, data, thresholds)


def _sample_all(
    frames: Sequence[FrameSource],
    names: Sequence[str],
    bayer: str | None,
    at_most: int,
    ctx: JobContext | None,
) -> tuple[list[Sample | None], dict[int, str]]:
    samples: list[Sample | None] = []
    broken: dict[int, str] = {}
    for i, source in enumerate(frames):
        if ctx is not None:
            ctx.progress(i / len(frames), f"Measuring {names[i]}")
        try:
            pixels = source() if callable(source) else source
        except CalibStudioError as error:
            broken[i] = str(error)
            samples.append(None)
            continue
        if pixels.ndim != 2 or pixels.size == 0:
            broken[i] = "It holds no picture."
            samples.append(None)
            continue
        samples.append(take_sample(pixels, bayer, at_most=at_most))
        # Let go of this frame before the next is read: two large ones are a lot.
        del pixels
    if ctx is not None:
        ctx.progress(1.0)
    return samples, broken


def _unlike(
    kind: str,
    samples: Sequence[Sample | None],
    known: Mapping[int, str],
    contexts: Sequence[FrameContext],
    limits: Thresholds,
) -> dict[int, str]:
    """Return frames whose mean, noise or gradient is unlike the group's, with the reason."""
    use = [None if i in known else s for i, s in enumerate(samples)]
    nan = float("nan")

    def values(name: str) -> list[float]:
        return [nan if s is None else float(getattr(s, name)) for s in use]

    noises = values("noise")
    usual = [n for n in noises if np.isfinite(n)]
    noise = float(np.median(usual)) if usual else 0.0
    found: dict[int, str] = {}
    sigmas = limits.outlier_sigma
    # The least scatter that counts: below it a frame differs from the rest without harm.
    if kind in COVERED:
        least = {"mean": 0.1 * noise, "noise": 0.02 * noise, "gradient": 0.1 * noise}
    else:
        finite = [v for v in values("mean") if np.isfinite(v)]
        light = abs(float(np.median(finite))) if finite else 0.0
        bias = contexts[0].bias_level_adu if contexts else None
        light -= bias or 0.0
        least = {"mean": 0.02 * light, "noise": 0.03 * noise, "gradient": 0.003 * light}
    for name, what in (("gradient", "Gradient"), ("noise", "Noise"), ("mean", "Mean")):
        found.update(
            find_outliers(
                values(name), what=what, unit="ADU", sigmas=sigmas, least_sigma=least[name],
                decimals=1 if name == "gradient" else None,
            )
        )  # fmt: skip
    return found


def _add_belonging(
    judge: Judge,
    names: Sequence[str],
    copies: Mapping[int, str],
    outliers: Mapping[int, str],
    bad: Mapping[int, str],
    limits: Thresholds,
) -> None:
    left = len(names) - len(outliers)
    note = f"Measured on the {left} that are left." if 0 < left < len(names) else ""
    judge.add("n_frames", len(names), note=note)
    first = ", ".join(names[i] for i in list(copies)[:3])
    judge.add("duplicates", len(copies), limits.duplicates, where=first)
    others = [i for i in outliers if i not in copies and i not in bad]
    where = ", ".join(names[i] for i in others[:3]) + (" and others" if len(others) > 3 else "")
    judge.add("outliers", len(others), limits.outliers, where=where)
    for i in others[:10]:
        judge.find(
            Verdict.WARN,
            "does not belong",
            f"{names[i]}: {outliers[i]}",
            cause="light, clouds or a change of settings during the set.",
            cure="Leave it out, or take it again.",
            metric="outliers",
        )
