"""A master, measured and judged from its planes and from what went into it."""

from __future__ import annotations

import numpy as np

from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.imaging.quality_context import MasterContext
from calibstudio.imaging.quality_levels import Image, central_level, channels, tile_noise


def measure_master(
    kind: str,
    image: Image,
    unc: Image | None,
    cnt: Image | None,
    context: MasterContext,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    bias: Image | None = None,
) -> Assessment:
    """Measure and judge one master.

    Parameters
    ----------
    kind
        Without ``master ``.
    image, unc, cnt
        Planes of the master, shape (ny, nx); UNC and CNT may be missing.
    context
        What is known beside the planes.
    bias
        Master bias of the same setting, raw ADU, where there is one: a dark then says its dark
        current.
    """
    judge = Judge(kind)
    level = central_level(image, context.bayer)
    judge.add("level", level.value_adu, note="the image has no pixels with a value")
    noises = [tile_noise(p, at_most=64) for p in channels(image, context.bayer).values()]
    judge.add("noise", float(np.max(noises)), note="the image is too small")
    return judge.result()
