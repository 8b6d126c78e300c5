"""The light that reaches the focal plane during an exposure, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.devices.simulator.optics import NO_FILTER, Filter


@dataclass(frozen=True, slots=True)
class StarField:
    """What of the night sky is in the picture, and where it falls."""

    ra_deg: float
    dec_deg: float
    """Of the middle of the picture, in the middle of the exposure."""
    home_deg: tuple[float, float]
    """Right ascension and declination of the field with the big galaxy."""
    pixel_arcsec: float
    drift_x_px: float
    drift_y_px: float
    """Over the exposure, in pixels (tracking off)."""
    zero_point_e: float
    """Electrons of a star of magnitude 0 in this exposure."""
    seeing_arcsec: float = 2.8
    """Full width at half maximum."""


@dataclass(frozen=True, slots=True)
class Light:
    """Light of one exposure: electrons in a pixel of response 1 at the optical centre.

    ``smooth_e`` falls on the full frame with a gradient (relative, per half diagonal) and a
    curvature; ``leak_e`` enters past the cover at the first column and falls off from there.
    """

    filter: Filter = NO_FILTER
    smooth_e: float = 0.0
    gradient_x: float = 0.0
    gradient_y: float = 0.0
    curvature: float = 0.0
    flicker_hz: float = 0.0
    """Of a lamp that is dimmed by switching; 0 for a steady light."""
    flicker_duty: float = 1.0
    leak_e: float = 0.0
    stars: StarField | None = None

    @property
    def is_dark(self) -> bool:
        """Whether nothing reaches the sensor."""
        return self.smooth_e <= 0.0 and self.leak_e <= 0.0 and self.stars is None

    def much_differs(self, other: Light) -> bool:
        """Whether a frame rendered with ``other`` would be visibly wrong."""
        return (
            self.filter.name != other.filter.name
            or abs(self.smooth_e - other.smooth_e) > 1e-3 * max(self.smooth_e, other.smooth_e, 1.0)
            or abs(self.leak_e - other.leak_e) > 1e-3 * max(self.leak_e, other.leak_e, 1.0)
            or (self.stars is None) != (other.stars is None)
            or (
                self.stars is not None
                and other.stars is not None
                and abs(self.stars.ra_deg - other.stars.ra_deg) > 1e-4
            )
        )
