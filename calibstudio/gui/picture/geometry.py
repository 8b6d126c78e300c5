"""Where a pixel of a frame is on the screen, and back: zoom, pan, flip and quarter turns.

Three coordinate systems, all continuous, pixel i covering i to i + 1:

* picture: columns and rows of the frame, row 0 at the top;
* turned: the picture after mirroring and turning;
* screen: logical pixels of the widget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_SCALE = 1 / 64
MAX_SCALE = 64.0
ZOOM_STEP = 1.25
"""One turn of the wheel, one press of +."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """First mirrored left to right, then turned clockwise."""

    quarter_turns: int = 0
    mirrored: bool = False

    def turned(self) -> Orientation:
        """Return this orientation turned by another quarter, clockwise."""
        return replace(self, quarter_turns=(self.quarter_turns + 1) % 4)

    def flipped(self) -> Orientation:
        """Return this orientation mirrored left to right as it is seen now."""
        return Orientation((-self.quarter_turns) % 4, not self.mirrored)

    def shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) as seen."""
        return shape if self.quarter_turns % 2 == 0 else (shape[1], shape[0])

    def forward(self, x: float, y: float, shape: tuple[int, int]) -> tuple[float, float]:
        """Picture to turned."""
        ny, nx = shape
        u = nx - x if self.mirrored else x
        v = y
        for _ in range(self.quarter_turns):
            u, v = ny - v, u
            ny, nx = nx, ny
        return u, v

    def backward(self, u: float, v: float, shape: tuple[int, int]) -> tuple[float, float]:
        """Turned to picture."""
        ny, nx = self.shape(shape)
        for _ in range(self.quarter_turns):
            u, v = v, nx - u
            ny, nx = nx, ny
        return (nx - u if self.mirrored else u), v

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Mirror and turn an array, contiguous."""
        out = pixels[:, ::-1] if self.mirrored else pixels
        return np.ascontiguousarray(np.rot90(out, -self.quarter_turns))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, left and top first."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Right minus left."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Bottom minus top."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Viewport:
    """What a widget of a size shows of a picture. Immutable; zooming returns another."""

    shape: tuple[int, int]
    """(rows, columns) of the picture."""
    width: int
    height: int
    """Logical pixels of the widget."""
    orientation: Orientation = Orientation()
    scale: float = 1.0
    """Screen pixels for one picture pixel."""
    u: float = 0.0
    v: float = 0.0
    """Turned coordinates at the widget's centre."""

    def fit(self) -> Viewport:
        """Show all of the picture."""
        ny, nx = self.orientation.shape(self.shape)
        return self._centred(min(self.width / nx, self.height / ny))

    def fit_width(self) -> Viewport:
        """Fill the width; what is too high is reached by panning, and stays where it is."""
        _, nx = self.orientation.shape(self.shape)
        return replace(self._centred(self.width / nx), v=self.v)._held()

    def zoomed(self, scale: float, at: tuple[float, float] | None = None) -> Viewport:
        """Change the scale; the point under ``at`` (screen, None: centre) stays where it is."""
        scale = min(max(scale, MIN_SCALE), MAX_SCALE)
        px, py = at if at is not None else (self.width / 2, self.height / 2)
        dx, dy = px - self.width / 2, py - self.height / 2
        u = self.u + dx / self.scale - dx / scale
        v = self.v + dy / self.scale - dy / scale
        return replace(self, scale=scale, u=u, v=v)._held()

    def panned(self, dx: float, dy: float) -> Viewport:
        """Move the picture by screen pixels."""
        return replace(self, u=self.u - dx / self.scale, v=self.v - dy / self.scale)._held()

    def resized(self, width: int, height: int) -> Viewport:
        """The same part in a widget of another size."""
        return replace(self, width=width, height=height)._held()

    def oriented(self, orientation: Orientation) -> Viewport:
        """Turn the picture about the pixel at the centre."""
        x, y = self.orientation.backward(self.u, self.v, self.shape)
        u, v = orientation.forward(x, y, self.shape)
        return replace(self, orientation=orientation, u=u, v=v)._held()

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Picture to screen."""
        u, v = self.orientation.forward(x, y, self.shape)
        return self._to_screen(u, v)

    def from_screen(self, px: float, py: float) -> tuple[float, float]:
        """Screen to picture."""
        u = self.u + (px - self.width / 2) / self.scale
        v = self.v + (py - self.height / 2) / self.scale
        return self.orientation.backward(u, v, self.shape)

    def pixel_at(self, px: float, py: float) -> tuple[int, int] | None:
        """The pixel (x, y) under a screen point; None beside the picture."""
        x, y = (int(np.floor(c)) for c in self.from_screen(px, py))
        ny, nx = self.shape
        return (x, y) if 0 <= x < nx and 0 <= y < ny else None

    def screen_box(self, turned: Box) -> Box:
        """A box in turned coordinates, on the screen."""
        left, top = self._to_screen(turned.left, turned.top)
        right, bottom = self._to_screen(turned.right, turned.bottom)
        return Box(left, top, right, bottom)

    def picture_box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """A box of the picture, on the screen, whichever way it is turned."""
        ax, ay = self.to_screen(x0, y0)
        bx, by = self.to_screen(x1, y1)
        return Box(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))

    def visible(self) -> Box:
        """What the widget shows, in turned coordinates."""
        half_u, half_v = self.width / 2 / self.scale, self.height / 2 / self.scale
        return Box(self.u - half_u, self.v - half_v, self.u + half_u, self.v + half_v)

    def _to_screen(self, u: float, v: float) -> tuple[float, float]:
        return (
            (u - self.u) * self.scale + self.width / 2,
            (v - self.v) * self.scale + self.height / 2,
        )

    def _centred(self, scale: float) -> Viewport:
        ny, nx = self.orientation.shape(self.shape)
        return replace(self, scale=min(max(scale, MIN_SCALE), MAX_SCALE), u=nx / 2, v=ny / 2)

    def _held(self) -> Viewport:
        """Keep the picture in the widget: centred where it is smaller, else no empty margin."""
        ny, nx = self.orientation.shape(self.shape)
        return replace(
            self,
            u=_hold(self.u, nx, self.width / self.scale),
            v=_hold(self.v, ny, self.height / self.scale),
        )


def _hold(centre: float, length: float, shown: float) -> float:
    if shown >= length:
        return length / 2
    return min(max(centre, shown / 2), length - shown / 2)
