"""How many frames are worth it: the master's S/N, or its noise, against the number of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QVBoxLayout, QWidget

from calibstudio.domain.outlook import added_noise, master_snr
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS
from calibstudio.domain.wording import count, number, quantity
from calibstudio.gui.picture.plot_base import AxisKind, Mark
from calibstudio.gui.picture.plots import Curve, CurvePlot
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import Card
from calibstudio.gui.widgets.text import label

PLOT_HEIGHT, TALL = 180, 280
UNKNOWN = (
    "The camera does not say what an ADU is worth, so the noise of the master cannot be foretold. "
    "Two flats and two bias frames measure it."
)


class WorthCard(Card):
    """A curve, the number that is asked for on it, and what half as many more would bring."""

    def __init__(
        self, theme: ThemeState, *, tall: bool = False, parent: QWidget | None = None
    ) -> None:
        """``tall``: higher where there is room, for a page with little else."""
        super().__init__("How many frames are worth it?", parent=parent)
        self.plot = CurvePlot(theme, name="How many frames are worth it?", x=AxisKind.WHOLE)
        self._tall = tall
        self.said = label("", "small", tone="text2", wrap=True)
        self.sentence = label("", "secondary", wrap=True)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.plot)
        column.addWidget(self.said)
        column.addWidget(self.sentence)
        self.body.addLayout(column)
        self.body.addStretch(1)
        self.sentence.hide()
        self.set_compact(False)

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        self.plot.setFixedHeight(TALL if self._tall and not compact else PLOT_HEIGHT)

    def show_flats(self, frames: int, electrons: float | None, *, asked: bool = True) -> None:
        """Show the S/N of a master flat.

        ``electrons`` are those of a pixel of one flat; None: nobody knows. ``asked`` False: the
        camera was not heard yet.
        """
        if electrons is None:
            self._show_sentence(UNKNOWN if asked else "Asking the camera what an ADU is worth…")
            return
        snr = master_snr(frames, electrons)
        noise = _percent(100 / snr if snr else 0.0)
        more = max(frames // 2, 1)
        then = _percent(100 / master_snr(frames + more, electrons) if electrons else 0.0)
        good = DEFAULT_THRESHOLDS.master_snr.warn_below
        n = _numbers(frames)
        self._show(n, np.sqrt(n * electrons), frames, snr, "Master S/N", good)
        self.set_note(f"{count(frames, 'frame')}: S/N {number(snr)}, {noise} noise")
        self.said.setText(f"{number(more)} more: {then} noise instead of {noise}")

    def show_covered(self, frames: int, read_noise_e: float | None = None) -> None:
        """Show by how much a master of covered frames raises the noise of a light."""
        now = 100 * added_noise(frames)
        more = max(frames // 2, 1)
        then = 100 * added_noise(frames + more)
        n = _numbers(frames)
        self._show(n, 100 * (np.sqrt(1 + 1 / n) - 1), frames, now, "Noise added [%]")
        self.set_note(f"{count(frames, 'frame')} add {_percent(now)} to the noise of a light")
        said = f"{number(more)} more: {_percent(then)} instead of {_percent(now)}"
        if read_noise_e is not None:
            own = quantity(read_noise_e / frames**0.5, "e⁻", 2)
            said += f" · noise of the master {own}, of one frame {quantity(read_noise_e, 'e⁻', 1)}"
        self.said.setText(said)

    def _show(
        self,
        n: NDArray[np.float64],
        y: NDArray[np.float64],
        frames: int,
        value: float,
        y_label: str,
        good: float | None = None,
    ) -> None:
        self.sentence.hide()
        self.plot.show()
        self.said.show()
        # Noise falls steeply at first: what matters is on the scale of what was asked for.
        falls = y[0] > y[-1]
        top = min(float(y[0]), 6 * value) if falls else 1.12 * max(float(y[-1]), good or 0.0)
        self.plot.set_curves(
            [
                Curve(n, y),
                Curve(np.array([float(frames)]), np.array([value]), dots=True),
            ],
            x_label="Good frames of each",
            y_label=y_label,
            x_range=(0.0, float(n[-1])),
            y_range=(0.0, top),
        )
        mark = [] if good is None else [Mark(good, f"good from {number(good)}", "good")]
        self.plot.set_h_marks(mark)

    def _show_sentence(self, text: str) -> None:
        self.plot.hide()
        self.said.hide()
        self.set_note("")
        self.sentence.setText(text)
        self.sentence.show()


def _numbers(frames: int) -> NDArray[np.float64]:
    return np.linspace(1.0, max(2.0 * frames, 8.0), 160)


def _percent(value: float) -> str:
    return quantity(value, "%", 2 if value < 1 else 1)
