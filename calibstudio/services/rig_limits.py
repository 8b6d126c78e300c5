"""Whose frame it is: the rig whose camera fits a header, and by which limits it is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calibstudio.domain.header import FrameHeader
from calibstudio.domain.rig import Rig
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.imaging.quality import FrameContext
from calibstudio.services.rigs import Rigs, rigs_here


@dataclass(frozen=True, slots=True)
class RigLimits:
    """The rigs that frames may come from."""

    rigs: tuple[Rig, ...] = ()

    def rig_of(self, header: FrameHeader) -> Rig | None:
        """Return the rig that took a frame; None where none fits, or several that differ.

        Serial numbers decide where both say one; else the name of the camera, with a sensor
        that is large enough. Of several rigs with one camera that of the frame's telescope
        counts; rigs that state the same are as good as one.
        """
        fitting = [rig for rig in self.rigs if _fits(rig, header)]
        if header.serial:
            same = [r for r in fitting if _bare(r.knows.serial) == _bare(header.serial)]
            fitting = same or fitting
        if len(fitting) > 1 and header.telescope:
            words = _bare(header.telescope)
            trained = [r for r in fitting if r.optics and _bare(r.optics.telescope) == words]
            fitting = trained or fitting
        if not fitting:
            return None
        first = fitting[0]
        said = (first.thresholds, first.knows)
        return first if all((r.thresholds, r.knows) == said for r in fitting) else None

    def of(
        self, header: FrameHeader, usual: Thresholds = DEFAULT_THRESHOLDS
    ) -> tuple[Thresholds, str]:
        """Return the limits that a frame is judged by, and what says so; ``usual`` and no words
        where no rig has its own."""
        rig = self.rig_of(header)
        if rig is None or rig.thresholds == DEFAULT_THRESHOLDS:
            return usual, ""
        return limits_of_rig(rig), source_of(rig)

    def context(self, header: FrameHeader, context: FrameContext) -> FrameContext:
        """Add to a frame's context what its rig states of the camera."""
        rig = self.rig_of(header)
        return context if rig is None else with_stated(rig, context)


NO_RIGS = RigLimits()
"""Nothing is known of any camera: the usual limits."""


def source_of(rig: Rig) -> str:
    """Return what a sentence calls a rig as the source of a limit."""
    return f"rig “{rig.name}”"


def limits_of_rig(rig: Rig | None) -> Thresholds:
    """Return the limits of a rig; its own say that they are its own."""
    return DEFAULT_THRESHOLDS if rig is None else rig.thresholds.said_by(source_of(rig))


def with_stated(rig: Rig, context: FrameContext) -> FrameContext:
    """Add what a rig states of its camera; what is stated counts more than what a header says."""
    knows = rig.knows
    if knows.saturation_adu is None and knows.full_well_e is None:
        return context
    limits = [v for v in (context.saturation_adu, knows.saturation_adu) if v is not None]
    return replace(
        context,
        saturation_adu=min(limits, default=None),
        full_well_e=context.full_well_e if knows.full_well_e is None else knows.full_well_e,
    )


def limits_here(rigs: Rigs | None = None) -> RigLimits:
    """Return what the rigs of this computer say."""
    return RigLimits((rigs or rigs_here()).list().rigs)


def _fits(rig: Rig, header: FrameHeader) -> bool:
    knows = rig.knows
    if header.serial and knows.serial and _bare(knows.serial) != _bare(header.serial):
        return False
    names = {_bare(n) for n in (knows.camera, rig.camera and rig.camera.name) if n}
    if not header.camera or _bare(header.camera) not in names:
        return False
    return _has_room(knows.sensor_height_px, knows.sensor_width_px, header)


def _has_room(height: int | None, width: int | None, header: FrameHeader) -> bool:
    """Whether a frame is not larger than the sensor, as far as both are known."""
    if height is None or width is None or header.shape is None or header.binning is None:
        return True
    along, across = header.binning
    return header.shape[1] * along <= width and header.shape[0] * across <= height


def _bare(text: str | None) -> str:
    return " ".join((text or "").casefold().split())
