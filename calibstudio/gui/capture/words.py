"""Words and numbers that several wizards share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from calibstudio.domain.plan import CameraSettings
from calibstudio.domain.wording import MINUS, NARROW, TIMES, temperature

_NUMBERS = re.compile(r"[-\u2212\u2013]?\d+(?:[.,]\d+)?")


def settings_words(settings: CameraSettings) -> str:
    """Say camera settings in one line: ``gain 100 · offset 50 · −10.0 °C``."""
    parts = []
    if settings.gain is not None:
        parts.append(f"gain {settings.gain}")
    if settings.offset is not None:
        parts.append(f"offset {settings.offset}")
    if settings.binning > 1:
        parts.append(f"binning {binning_words(settings.binning)}")
    if settings.set_temp_c is not None:
        parts.append(temperature(settings.set_temp_c))
    return " · ".join(parts) or "as the camera is"


def binning_words(binning: int) -> str:
    """Say a binning: ``2 × 2``."""
    return f"{binning} {TIMES} {binning}"


def numbers_in(text: str, *, signed: bool = False) -> tuple[float, ...]:
    """Return the numbers in a typed list, each once, ascending; commas are decimal points.

    Spaces and semicolons separate. Without ``signed`` a minus is not read.
    """
    found = (n.replace(",", ".") for n in _NUMBERS.findall(text.replace(NARROW, "")))
    values = [float(n.replace(MINUS, "-").replace("–", "-")) for n in found]
    return tuple(sorted({v if signed else abs(v) for v in values}))


def list_text(values: Iterable[float]) -> str:
    """Return a list as it is typed: ``60  120  300``."""
    return "  ".join(f"{v:g}".replace("-", MINUS) for v in values)


def put_into(place: QWidget, widget: QWidget) -> None:
    """Put a widget into an empty place of a form."""
    column = QVBoxLayout(place)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
