"""The public face of quality: measure frames, sets and masters; profiles; photon transfer."""

from __future__ import annotations

from calibstudio.imaging.photon_transfer import PhotonTransfer, photon_transfer
from calibstudio.imaging.quality_compare import (
    DarkPoint,
    compare_masters,
    dark_proportion,
    judge_dark_proportion,
)
from calibstudio.imaging.quality_context import FrameContext, MasterContext
from calibstudio.imaging.quality_frame import measure_frame
from calibstudio.imaging.quality_levels import (
    Clipped,
    Level,
    central_level,
    clipped_statistics,
    tile_noise,
)
from calibstudio.imaging.quality_master import measure_master
from calibstudio.imaging.quality_outliers import find_outliers
from calibstudio.imaging.quality_profiles import NoiseZones, Profiles, noise_zones, profiles
from calibstudio.imaging.quality_sets import (
    FrameSource,
    SetAssessment,
    measure_set,
)

__all__ = [
    "Clipped",
    "DarkPoint",
    "FrameContext",
    "FrameSource",
    "Level",
    "MasterContext",
    "NoiseZones",
    "PhotonTransfer",
    "Profiles",
    "SetAssessment",
    "central_level",
    "clipped_statistics",
    "compare_masters",
    "dark_proportion",
    "find_outliers",
    "judge_dark_proportion",
    "measure_frame",
    "measure_master",
    "measure_set",
    "noise_zones",
    "photon_transfer",
    "profiles",
    "tile_noise",
]
