"""What the picture view's worker does: the visible part of a pyramid, in a theme's colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from calibstudio.gui.picture.geometry import Box, Viewport
from calibstudio.gui.theme import DARK, LIGHT, Tokens, image_lut
from calibstudio.imaging.display import (
    SATURATED,
    Colours,
    Pyramid,
    Rendered,
    View,
    colour_view,
    render_view,
)
from calibstudio.imaging.display_stretch import Stretch

MOST_MARKED = 0.3
"""Share of a frame that may be marked as saturated in full brightness; beyond, the mark dims so
that the picture's mean stays: in night below R 70 (204 × 0.3 = 61)."""
OVERVIEW_PX = 640
"""Longer side of the small picture of all of the frame, shown where the sharp one is not yet."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderRequest:
    """One thing to show; a later serial is newer."""

    serial: int
    pyramid: Pyramid
    viewport: Viewport
    stretch: Stretch
    tokens: Tokens
    show_clipped: bool
    dpr: float
    """Device pixels for one logical pixel of the screen."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A rendered part: its place in turned coordinates, and its pixels."""

    box: Box
    grey: Rendered
    """Turned as it is seen; kept so that another theme needs no other pixels."""
    image: QImage
    pixels: NDArray[np.uint32]
    """Owner of the image's memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The answer to a `RenderRequest`."""

    request: RenderRequest
    sharp: Patch
    overview: Patch
    mean: float
    """Mean grey of all of the frame, 0 to 1; the night theme dims bright pictures by it."""
    saturated: float = 0.0
    """Share of all of the frame that is marked as saturated."""


def render(request: RenderRequest, before: Shown | None = None) -> Shown:
    """Render a request. Worker thread; about as many milliseconds as the screen has 0.1 megapixels.

    ``before`` lends its overview when only the part that is seen changed.
    """
    table = request.stretch.lut()
    overview_viewport = _overview_viewport(request.viewport)
    if before is not None and _same_overview(request, before):
        overview, mean, saturated = before.overview, before.mean, before.saturated
        look = colours(request.tokens, mean, request.show_clipped, saturated)
    else:
        small = _turned(request, overview_viewport, table, 1.0)
        mean = float(small[1].grey.mean()) / 255.0 if small[1].grey.size else 0.0
        saturated = _share(small[1].flags)
        look = colours(request.tokens, mean, request.show_clipped, saturated)
        overview = _patch(small, look)
    sharp = _patch(_turned(request, request.viewport, table, request.dpr), look)
    return Shown(request, sharp, overview, mean, saturated)


def recoloured(shown: Shown, tokens: Tokens, *, show_clipped: bool) -> Shown:
    """The same pixels in another theme, at once: no window may show the former one's colours."""
    look = colours(tokens, shown.mean, show_clipped, shown.saturated)
    request = replace(shown.request, tokens=tokens, show_clipped=show_clipped)
    return Shown(
        request,
        _patch((shown.sharp.box, shown.sharp.grey), look),
        _patch((shown.overview.box, shown.overview.grey), look),
        shown.mean,
        shown.saturated,
    )


def overlay_tokens(tokens: Tokens) -> Tokens:
    """Return the tokens of what lies over a picture: pictures are dark in the light theme too."""
    return DARK if tokens.name == LIGHT.name else tokens


def _share(flags: NDArray[np.uint8]) -> float:
    return float(np.count_nonzero(flags & SATURATED)) / flags.size if flags.size else 0.0


def colours(
    tokens: Tokens, mean: float, show_clipped: bool, saturated_share: float = 0.0
) -> Colours:
    """Return the colours of a theme. In night, zero is a pattern: colour alone cannot tell.

    Where much of a frame is saturated its mark is dark: a whole picture in it would blind.
    """
    over = overlay_tokens(tokens)
    lut = image_lut(tokens, mean).astype(np.uint32)
    grey = (0xFF << 24) | (lut[:, 0] << 16) | (lut[:, 1] << 8) | lut[:, 2]
    zero = _rgb(over.accent)
    return Colours(
        grey=np.ascontiguousarray(grey, np.uint32),
        saturated=_dimmed(over.bad, saturated_share),
        zero=zero,
        zero_between=_rgb(tokens.bg) if tokens.is_night else zero,
        no_value=_rgb(over.line2),
        show_clipped=show_clipped,
    )


def _dimmed(color: str, share: float) -> int:
    """Return a colour as bright as so large a part of a picture may be."""
    bright = QColor(color)
    keep = min(1.0, MOST_MARKED / share) if share > 0.0 else 1.0
    parts = [round(c * keep) for c in (bright.red(), bright.green(), bright.blue())]
    return int(QColor(*parts).rgb()) & 0xFFFFFFFF


def _rgb(color: str) -> int:
    return int(QColor(color).rgb()) & 0xFFFFFFFF


def _overview_viewport(viewport: Viewport) -> Viewport:
    ny, nx = viewport.orientation.shape(viewport.shape)
    scale = min(1.0, OVERVIEW_PX / max(nx, ny))
    width, height = max(1, round(nx * scale)), max(1, round(ny * scale))
    return Viewport(viewport.shape, width, height, viewport.orientation).fit()


def _same_overview(request: RenderRequest, before: Shown) -> bool:
    old = before.request
    return (
        old.pyramid is request.pyramid
        and old.stretch == request.stretch
        and old.tokens == request.tokens
        and old.show_clipped == request.show_clipped
        and old.viewport.orientation == request.viewport.orientation
    )


def _turned(
    request: RenderRequest, viewport: Viewport, table: NDArray[np.uint8], dpr: float
) -> tuple[Box, Rendered]:
    """Render what a viewport shows and turn it; returns its place in turned coordinates."""
    step = 1.0 / (viewport.scale * dpr)
    columns, rows = round(viewport.width * dpr), round(viewport.height * dpr)
    orientation, shape = viewport.orientation, viewport.shape
    seen = viewport.visible()
    ax, ay = orientation.backward(seen.left, seen.top, shape)
    bx, by = orientation.backward(seen.right, seen.bottom, shape)
    if orientation.quarter_turns % 2:
        columns, rows = rows, columns
    view = View(min(ax, bx), min(ay, by), step, columns, rows)
    part = render_view(request.pyramid, view, request.stretch, lut=table)
    x0, y0 = view.x + part.left * step, view.y + part.top * step
    x1, y1 = x0 + part.grey.shape[1] * step, y0 + part.grey.shape[0] * step
    u0, v0 = orientation.forward(x0, y0, shape)
    u1, v1 = orientation.forward(x1, y1, shape)
    box = Box(min(u0, u1), min(v0, v1), max(u0, u1), max(v0, v1))
    turned = replace(part, grey=orientation.apply(part.grey), flags=orientation.apply(part.flags))
    return box, turned


def _patch(part: tuple[Box, Rendered], look: Colours) -> Patch:
    box, rendered = part
    pixels = colour_view(rendered, look)
    rows, columns = pixels.shape
    image = (
        QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
        if pixels.size
        else QImage()
    )
    return Patch(box, rendered, image, pixels)
