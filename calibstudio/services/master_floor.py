"""The least sigma of a rule that has a floor, from the frames themselves (RULES 4).

Never from what lies around: the same frames give the same pixels, alone or among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from calibstudio.domain.header import FrameHeader
from calibstudio.domain.recipe import StackSettings
from calibstudio.imaging.quality_context import COVERED
from calibstudio.imaging.quality_samples import pair_noise, take_sample, tiles_per_frame
from calibstudio.imaging.reject import resolve
from calibstudio.store.pixels import read_image

MOST_FRAMES = 16
"""Frames that are looked at: eight pairs tell the noise to a fraction of a per cent."""


def rejection_floor(
    kind: str, headers: Sequence[FrameHeader], image: str, settings: StackSettings
) -> float | None:
    """Return the noise of one covered frame in ADU; None where the rule has no floor.

    Flats have none beyond the step of the converter: the noise of their light is another at each
    pixel, and their read noise is not in them.

    Parameters
    ----------
    kind
        Of the frames.
    headers
        Of the frames that are combined, in order; the first `MOST_FRAMES` are looked at.
    image
        Name of the image in each.

    Notes
    -----
    sigma^2 = var(A - B) / 2 - step^2 / 12, clipped, of the pairs (0, 1), (2, 3) and so on, the
    median over tiles and the mean over pairs; at least one step of the converter.
    """
    if kind not in COVERED or not resolve(settings, len(headers)).floored:
        return None
    headers = headers[:MOST_FRAMES]
    at_most = tiles_per_frame(len(headers))
    samples = [take_sample(read_image(h.path, image), h.bayer, at_most=at_most) for h in headers]
    step = max(s.step for s in samples)
    noise, _ = pair_noise([s.tiles for s in samples], step=step)
    floor = max(step, noise) if isfinite(noise) else step
    # As the card says it, to the last digit.
    return float(f"{floor:.6g}")
