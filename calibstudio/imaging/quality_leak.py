"""Light in a set of darks: a gradient that differs from frame to frame is no glow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibstudio.domain.thresholds import Limit, Thresholds
from calibstudio.domain.verdict_words import LEAK_CURE
from calibstudio.domain.verdicts import Judge, quantity_text
from calibstudio.imaging.quality_samples import Sample, pair_noise

LEAST_PART = 0.02
"""Part of the gradient by which it must differ: glow wanders by less with the temperature."""


def add_leak(judge: Judge, samples: Sequence[Sample], limits: Thresholds) -> bool:
    """Judge whether light falls on covered frames, and return whether it does.

    Two signs together are light: a gradient over the frame, and that it differs from frame to
    frame. The sensor's own glow makes the first without the second, a warm sensor neither.
    """
    gradients = np.array([s.gradient for s in samples])
    gradients = gradients[np.isfinite(gradients)]
    if len(gradients) < 3:
        judge.missing("gradient_change", "needs 3 frames")
        return False
    noise, _ = pair_noise([s.tiles for s in samples], step=max(s.step for s in samples))
    middle = float(np.median(gradients))
    # Robust: one frame with light is that frame's own trouble, and is left out of the set.
    change = 1.4826 * float(np.median(np.abs(gradients - middle)))
    slope, unsteady = limits.gradient_noise_dark.warn_above, limits.gradient_change_noise.bad_above
    if slope is None or unsteady is None or not noise > 0 or middle <= slope * noise:
        judge.add("gradient_change", change)
        return False
    edge = max(unsteady * noise, LEAST_PART * middle)
    limit = Limit(bad_above=edge)
    texts = [quantity_text(v, "ADU", 1) for v in (middle, slope * noise, change, edge)]
    judge.add(
        "gradient_change",
        change,
        limit,
        what=f"Gradient {texts[0]}, limit {texts[1]}, and it differs from frame to frame by "
        f"{texts[2]}, limit {texts[3]}.",
        title="light leak",
        cause="light reaches the covered sensor: the sensor's own glow would be the same in "
        "every frame.",
        cure=LEAK_CURE,
    )
    return change > edge
