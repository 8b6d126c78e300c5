"""Bad pixels marked over the picture of a map: none vanishes, and kinds are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.defects import WORDS, Defect
from calibstudio.gui.library.defect_picture import DefectMap, MasterPicture, defect_colour, marks
from calibstudio.gui.picture.geometry import Orientation, Viewport
from calibstudio.gui.theme import DARK, LIGHT, NIGHT
from calibstudio.imaging.display import build_pyramid

KINDS = (Defect.HOT, Defect.DEAD, Defect.COLD, Defect.UNSTABLE)
SHAPE = (4000, 6000)


def a_map() -> DefectMap:
    """One pixel of each kind, far apart, on a sensor of 24 megapixels."""
    mask = np.zeros(SHAPE, np.uint8)
    for i, kind in enumerate(KINDS):
        mask[500 + 900 * i, 700 + 1400 * i] = int(kind)
    return DefectMap.of([mask])


@pytest.mark.parametrize("scale", [1 / 64, 0.09, 0.5, 1.0, 2.0, 4.9])
@pytest.mark.parametrize("orientation", [Orientation(), Orientation(1), Orientation(2, True)])
def test_a_single_bad_pixel_is_in_sight_at_every_zoom(scale: float, orientation: Orientation):
    defects = a_map()
    for i, kind in enumerate(KINDS):
        x, y = 700 + 1400 * i, 500 + 900 * i
        u, v = orientation.forward(x + 0.5, y + 0.5, SHAPE)
        view = Viewport(SHAPE, 540, 270, orientation, scale, u, v)

        seen = marks(defects, view, DARK, 1.0)

        px, py = (int(c) for c in view.to_screen(x + 0.5, y + 0.5))
        around = seen[max(0, py - 1) : py + 2, max(0, px - 1) : px + 2]
        colour = defect_colour(kind, DARK).rgb() & 0xFFFFFFFF
        assert np.count_nonzero(around == colour) >= 5


@pytest.mark.parametrize("tokens", [DARK, NIGHT, LIGHT], ids=lambda t: t.name)
def test_kinds_are_told_apart_in_every_theme(tokens):
    defects = a_map()
    view = Viewport(SHAPE, 540, 360).fit()

    seen = marks(defects, view, tokens, 1.0)

    looks = set()
    for i in range(len(KINDS)):
        px, py = (int(c) for c in view.to_screen(700.5 + 1400 * i, 500.5 + 900 * i))
        looks.add((seen[py - 1 : py + 2, px - 1 : px + 2]).tobytes())
    assert len(looks) == len(KINDS)
    if tokens.is_night:
        assert not np.any(seen & 0x00FFFF), "night is red only"


def test_the_kind_that_names_a_pixel_is_the_one_that_is_seen():
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 20] = int(Defect.DEAD | Defect.COLD | Defect.UNSTABLE)
    defects = DefectMap.of([mask])

    seen = marks(defects, Viewport((40, 40), 40, 40).fit(), DARK, 1.0)

    assert defects.counts == {k: int(k is not Defect.HOT) for k in WORDS}
    assert (defects.n_bad, defects.n_pixels) == (1, 1600)
    middle = np.argwhere(seen == (defect_colour(Defect.DEAD, DARK).rgb() & 0xFFFFFFFF))
    assert len(middle) == 5


def test_the_marks_are_on_the_screen(qtbot, theme):
    view = MasterPicture(theme)
    qtbot.addWidget(view)
    view.resize(300, 200)
    mask = np.zeros((400, 600), np.uint8)
    mask[200, 300] = int(Defect.HOT)
    view.show_clipped(False)
    view.set_defects(DefectMap.of([mask]))
    view.show()
    with qtbot.waitSignal(view.picture_shown, timeout=20000):
        view.set_picture(build_pyramid(mask))

    for zoom in (None, 10.0):
        if zoom is not None:
            view.zoom_to(zoom, None)
        image = view.grab().toImage()
        assert image.pixelColor(150, 100) == defect_colour(Defect.HOT, theme.tokens)
    view.close_down()
