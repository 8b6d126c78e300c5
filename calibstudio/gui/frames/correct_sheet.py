"""Correcting a header value: the file stays as it is, the correction lies over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtWidgets import QWidget

from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.header import HeaderValue, json_value
from calibstudio.domain.header_edit import value_from_text
from calibstudio.domain.wording import count
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.fields import ComboField, Labelled, TextField
from calibstudio.gui.widgets.text import label

WORDS = (
    ("kind", "Kind"),
    ("exposure_s", "Exposure [s]"),
    ("gain", "Gain"),
    ("offset", "Offset"),
    ("filter", "Filter"),
    ("set_temp_c", "Set temperature [°C]"),
    ("sensor_temp_c", "Sensor temperature [°C]"),
    ("camera", "Camera"),
    ("readout_mode", "Read-out mode"),
    ("binning", "Binning"),
    ("bayer", "Colour pattern"),
    ("telescope", "Telescope"),
    ("focal_length_mm", "Focal length [mm]"),
    ("rotator_deg", "Rotator [°]"),
    ("night", "Night"),
)


def correct_header(
    theme: ThemeState,
    parent: QWidget,
    grouping: Grouping,
    frames: Sequence[Path],
    on_values: Callable[[Mapping[str, HeaderValue | None]], None],
) -> Sheet:
    """Ask for one header value of some frames, and hand it to ``on_values``."""
    sheet = Sheet(theme, "Correct a header value", parent, width=460)
    said = f"For {count(len(frames), 'frame')}. The files stay as they are; undo takes it back."
    sheet.body.addWidget(label(said, "secondary", wrap=True))
    word = ComboField(theme, WORDS, name="Header value")
    value = TextField(theme, name="New value")
    sheet.body.addWidget(Labelled("Value", word))
    field = Labelled("New value", value)
    sheet.body.addWidget(field)

    def show_now() -> None:
        now = _values_now(grouping, frames, str(word.value))
        field.set_note(f"Now: {now}" if now else "Now: unknown")

    def accept() -> None:
        try:
            values = {str(word.value): value_from_text(str(word.value), value.text())}
        except UsageError as error:
            field.set_note(f"{error} {error.hint}".strip(), "bad")
            return
        sheet.accept()
        on_values(values)

    word.chosen.connect(lambda _value: show_now())
    value.returnPressed.connect(accept)
    sheet.add_button("Leave it", sheet.reject)
    sheet.add_button(f"Correct {count(len(frames), 'frame')}", accept, ButtonKind.PRIMARY)
    show_now()
    sheet.open()
    value.setFocus()
    return sheet


def _values_now(grouping: Grouping, frames: Sequence[Path], word: str) -> str:
    """What the frames say now, at most three different values."""
    held = []
    for path in frames:
        header = grouping.headers.get(path)
        if header is None:
            continue
        value = header.kind_word if word == "kind" else getattr(header, word, None)
        if value is not None:
            held.append(str(json_value(value)))
    different = list(dict.fromkeys(held))
    return ", ".join(different[:3]) + (" and others" if len(different) > 3 else "")
