"""What a stack did, in one paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calibstudio.domain.recipe import Rejection, Weight
from calibstudio.domain.wording import count, duration, number, size
from calibstudio.imaging.combine import describe_rule
from calibstudio.services.stack import StackReport
from calibstudio.services.stack_headers import floor_sentence

_MOST_NAMED = 5


def summary(report: StackReport) -> str:
    """Say in one paragraph what a stack did."""
    _, first = report.images[0]
    shapes = {r.shape for _, r in report.images}
    what = size(first.shape) if len(shapes) == 1 else "several sizes"
    images = "" if len(report.images) == 1 else f", {count(len(report.images), 'image')} each"
    values = report.megapixels * 1e6
    rejected = report.n_rejected_low + report.n_rejected_high
    share = 100.0 * rejected / values if values else 0.0
    lines = [
        f"Combined {count(report.n_frames, 'frame')} of {what} pixels{images} into "
        f"{report.output}: {describe_rule(first.settings)}"
        f"{' (chosen by the number of frames)' if first.automatic else ''}."
    ]
    if first.settings.reject is not Rejection.NONE:
        lines.append(
            f"Rejected {share:.3g} % of the values ({number(report.n_rejected_low)} low, "
            f"{number(report.n_rejected_high)} high); noise alone gives "
            f"{100.0 * first.expected_share:.3g} %."
        )
    if floor := floor_sentence(first, report.headers[0] if report.headers else None):
        lines.append(floor)
    if first.weighted:
        weights = [frame.weight for frame in first.frames]
        lines.append(f"Weights of frames from {min(weights):.3g} to {max(weights):.3g}.")
    elif first.settings.weight is not Weight.NONE:
        lines.append("All frames have the same weight.")
    held = sum(r.n_held for _, r in report.images)
    if held:
        keep = first.settings.min_keep
        lines.append(f"At {count(held, 'pixel')} the {keep} nearest values were kept.")
    marked = {frame.name for _, r in report.images for frame in r.marked}
    if marked:
        names = sorted(marked)
        listed = _listed([Path(name) for name in names])
        them = "it" if len(names) == 1 else "them"
        lines.append(f"Much more than noise was rejected in {listed}: look at {them}.")
    if report.treated:
        lines.append(f"Of every frame: {report.treated}.")
    lines += report.notes
    speed = report.megapixels / report.seconds if report.seconds > 0 else 0.0
    rate = f", {number(speed)} megapixels a second" if speed >= 10 else ""
    lines.append(f"Took {duration(report.seconds)}{rate}.")
    return " ".join(lines)


def _listed(paths: Sequence[Path]) -> str:
    names = [str(path) for path in paths[:_MOST_NAMED]]
    if len(paths) > _MOST_NAMED:
        names.append(count(len(paths) - _MOST_NAMED, "other file"))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
