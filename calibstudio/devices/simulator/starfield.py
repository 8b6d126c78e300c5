"""The night sky: stars and galaxies in fixed places on the sphere, made from the seed.

The sky is cut into small tiles, each with its own random numbers, so that the same direction
always shows the same stars, a small move shifts them, and nothing needs a catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, floor, radians

import numpy as np
from numpy.typing import NDArray

_STARS, _GALAXIES = 51, 52
_TILE_DEG, _GALAXY_TILE_DEG = 0.5, 1.5
STARS_PER_DEG2 = 1800.0
FAINTEST_MAG = 17.0
_COUNT_SLOPE = 0.35
"""log10 of the number of stars brighter than m grows with this times m."""
_BRIGHTEST_MAG = 6.0


@dataclass(frozen=True, slots=True)
class View:
    """A tangent-plane picture of the sky: north up (towards row 0), east left."""

    ra_deg: float
    dec_deg: float
    pixel_arcsec: float
    shape: tuple[int, int]

    @property
    def radius_deg(self) -> float:
        """From the middle to a corner."""
        return 0.5 * float(np.hypot(*self.shape)) * self.pixel_arcsec / 3600.0

    def project(
        self, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y in pixels (gnomonic projection); the directions must be near."""
        turn = np.radians(ra_deg - self.ra_deg)
        dec, dec0 = np.radians(dec_deg), radians(self.dec_deg)
        depth = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(turn)
        xi = np.cos(dec) * np.sin(turn) / depth
        eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(turn)) / depth
        per_pixel = radians(self.pixel_arcsec / 3600.0)
        ny, nx = self.shape
        return 0.5 * nx - xi / per_pixel, 0.5 * ny - eta / per_pixel


@dataclass(frozen=True, slots=True, eq=False)
class StarList:
    """Stars in a picture, each (n,): places in pixels of the full frame, magnitudes."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    mag: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Galaxy:
    """A spiral, or with ``arms`` 0 a smooth one.

    Sizes in arc minutes, brightness in mag/arcsec2 at the centre.
    """

    ra_deg: float
    dec_deg: float
    scale_arcmin: float
    disk_mag: float
    bulge_mag: float
    axis_ratio: float
    angle_deg: float
    arms: float


def stars_in(seed: int, view: View, *, margin_px: float = 60.0) -> StarList:
    """Return the stars of a picture and of a margin around it."""
    reach = view.radius_deg + margin_px * view.pixel_arcsec / 3600.0
    found = [_tile_of_stars(seed, band, cell) for band, cell in _tiles(view, reach, _TILE_DEG)]
    ra, dec, mag = (np.concatenate(part) for part in zip(*found, strict=True))
    x, y = view.project(ra, dec)
    ny, nx = view.shape
    near = (x > -margin_px) & (x < nx + margin_px) & (y > -margin_px) & (y < ny + margin_px)
    return StarList(x[near], y[near], mag[near])


def galaxies_in(seed: int, view: View, home_deg: tuple[float, float]) -> list[Galaxy]:
    """Return the galaxies in and near a picture; the telescope's home has a big one."""
    reach = view.radius_deg + 0.5
    ra, dec = home_deg
    big = [
        Galaxy(ra, dec - 0.02, 3.4, 21.2, 18.6, 0.72, 28.0, arms=1.0),
        Galaxy(ra - 0.02 / cos(radians(dec)), dec + 0.19, 0.8, 20.6, 18.4, 0.85, 0.0, arms=0.0),
    ]
    small = [_tile_galaxy(seed, band, cell) for band, cell in _tiles(view, reach, _GALAXY_TILE_DEG)]
    return [g for g in big + small if _near(g, view, reach)]


def picture_of(galaxies: list[Galaxy], view: View, cell_px: int) -> NDArray[np.float64]:
    """Return their light on a coarse grid, in units of a star of magnitude 0 in each pixel.

    Shape (ny // cell + 2, nx // cell + 2); the value at [j, i] is that of pixel
    (j * cell, i * cell).
    """
    ny, nx = view.shape
    y, x = np.mgrid[0 : ny // cell_px + 2, 0 : nx // cell_px + 2].astype(np.float64) * cell_px
    out = np.zeros(x.shape)
    area = view.pixel_arcsec**2
    for galaxy in galaxies:
        gx, gy = view.project(np.array([galaxy.ra_deg]), np.array([galaxy.dec_deg]))
        per_px = view.pixel_arcsec / 60.0
        out += area * _surface_brightness(galaxy, (x - gx[0]) * per_px, (y - gy[0]) * per_px)
    return out


def _surface_brightness(
    g: Galaxy, dx: NDArray[np.float64], dy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return light per square arc second at offsets in arc minutes: disk with two arms, bulge."""
    angle = radians(g.angle_deg)
    along = dx * cos(angle) + dy * np.sin(angle)
    across = (dy * cos(angle) - dx * np.sin(angle)) / g.axis_ratio
    r = np.hypot(along, across) / g.scale_arcmin
    theta = np.arctan2(across, along)
    winding = 2.0 * theta - 2.0 * np.log(r + 0.15) / 0.30
    arms = 1.0 + g.arms * np.clip(3.0 * r, 0.0, 1.0) * 1.4 * (np.exp(np.cos(winding) - 1.0) - 0.47)
    disk = 10.0 ** (-0.4 * g.disk_mag) * np.exp(-r) * np.maximum(arms, 0.05)
    bulge = 10.0 ** (-0.4 * g.bulge_mag) / (1.0 + (r / 0.16) ** 2) ** 1.7
    return np.asarray(disk + bulge, dtype=np.float64)


def _tiles(view: View, reach_deg: float, tile_deg: float) -> list[tuple[int, int]]:
    """Return the (band, cell) of all tiles that a circle may touch."""
    found = []
    first = floor((max(-90.0, view.dec_deg - reach_deg) + 90.0) / tile_deg)
    last = floor((min(90.0, view.dec_deg + reach_deg) + 90.0) / tile_deg)
    for band in range(first, last + 1):
        cells = _cells(band, tile_deg)
        lowest = cos(radians(min(89.9, max(abs(band * tile_deg - 90.0), abs(view.dec_deg)) + 0.5)))
        half = ceil(reach_deg / lowest / 360.0 * cells) + 1
        middle = floor(view.ra_deg % 360.0 / 360.0 * cells)
        if 2 * half + 1 >= cells:
            found += [(band, cell) for cell in range(cells)]
        else:
            found += [(band, (middle + k) % cells) for k in range(-half, half + 1)]
    return found


def _cells(band: int, tile_deg: float) -> int:
    middle = (band + 0.5) * tile_deg - 90.0
    return max(1, round(360.0 * cos(radians(min(89.9, abs(middle)))) / tile_deg))


@lru_cache(maxsize=256)
def _tile_of_stars(
    seed: int, band: int, cell: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng([seed, _STARS, band, cell])
    count = int(rng.poisson(STARS_PER_DEG2 * _TILE_DEG**2))
    ra = (cell + rng.random(count)) * 360.0 / _cells(band, _TILE_DEG)
    dec = (band + rng.random(count)) * _TILE_DEG - 90.0
    mag = FAINTEST_MAG + np.log10(1.0 - rng.random(count)) / _COUNT_SLOPE
    return ra, dec, np.maximum(mag, _BRIGHTEST_MAG)


@lru_cache(maxsize=256)
def _tile_galaxy(seed: int, band: int, cell: int) -> Galaxy:
    rng = np.random.default_rng([seed, _GALAXIES, band, cell])
    disk = float(rng.uniform(20.8, 22.5))
    return Galaxy(
        ra_deg=float((cell + rng.random()) * 360.0 / _cells(band, _GALAXY_TILE_DEG)),
        dec_deg=float((band + rng.random()) * _GALAXY_TILE_DEG - 90.0),
        scale_arcmin=float(np.exp(rng.uniform(np.log(0.15), np.log(0.7)))),
        disk_mag=disk,
        bulge_mag=disk - 1.5,
        axis_ratio=float(rng.uniform(0.25, 1.0)),
        angle_deg=float(rng.uniform(0.0, 180.0)),
        arms=float(rng.random() < 0.6),
    )


def _near(galaxy: Galaxy, view: View, reach_deg: float) -> bool:
    turn = (galaxy.ra_deg - view.ra_deg + 180.0) % 360.0 - 180.0
    across = turn * cos(radians(view.dec_deg))
    return bool(np.hypot(across, galaxy.dec_deg - view.dec_deg) < reach_deg)
