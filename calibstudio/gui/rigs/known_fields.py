"""What a rig states about its camera, and what it has learned: fields of the rig editor."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.errors import UsageError
from calibstudio.domain.rig import Learned, Rig
from calibstudio.domain.rig_knows import KNOWABLE, Knowable, RigKnows
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.fields import Labelled, TextField
from calibstudio.gui.widgets.text import label, set_tone
from calibstudio.services.rig_learning import learned_words

ACROSS = 2
IDENTITY = ("camera", "serial", "sensor_width_px", "sensor_height_px")


def _about(one: Knowable) -> str:
    """Return what is said below a field: a sentence."""
    return f"{one.about[:1].upper()}{one.about[1:]}." if one.about else ""


class KnownFields(QWidget):
    """One field for each value that a rig may state; an empty one states nothing."""

    def __init__(self, theme: ThemeState, knows: RigKnows) -> None:
        super().__init__()
        self._before = knows
        self.fields: dict[str, TextField] = {}
        self._labelled: dict[str, Labelled] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(12)
        for i, one in enumerate(KNOWABLE):
            value = getattr(knows, one.key)
            words = f"{one.label} [{one.unit}]" if one.unit else one.label
            field = self.fields[one.key] = TextField(
                theme,
                name=words,
                text="" if value is None else str(value).removesuffix(".0"),
                placeholder="not stated",
            )
            row = self._labelled[one.key] = Labelled(words, field, note=_about(one))
            grid.addWidget(row, i // ACROSS, i % ACROSS, Qt.AlignmentFlag.AlignTop)
        for column in range(ACROSS):
            grid.setColumnStretch(column, 1)

    def knows(self, *, other_camera: bool = False) -> RigKnows | None:
        """Return what is typed; None, with the reason below its field, when that cannot be.

        Parameters
        ----------
        other_camera
            Another device is chosen: its identity is no longer that of the former one.
        """
        made, bad = self._before, False
        for one in KNOWABLE:
            field, row = self.fields[one.key], self._labelled[one.key]
            field.set_bad(False)
            row.set_note(_about(one))
            try:
                made = made.with_text(one.key, field.text())
            except UsageError as error:
                field.set_bad(True)
                row.set_note(f"{error} {error.hint}", "bad")
                if not bad:
                    field.setFocus()
                bad = True
        if bad:
            return None
        is_as_before = all(getattr(made, k) == getattr(self._before, k) for k in IDENTITY)
        return made.without_identity() if other_camera and is_as_before else made


class LearnedRows(QWidget):
    """What a rig has learned, each with where from; what is forgotten comes back until saved."""

    def __init__(self, theme: ThemeState, rig: Rig) -> None:
        super().__init__()
        self.forgotten: set[Learned] = set()
        self.buttons: list[Button] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for one, (name, value) in zip(rig.learned, learned_words(rig), strict=True):
            line = QHBoxLayout()
            line.setSpacing(8)
            text = label(f"{name}: {value}", "body", wrap=True)
            button = Button(theme, "Forget", size=ButtonSize.SMALL)
            button.setAccessibleName(f"Forget {name}")

            def turn(
                _checked: bool = False,
                one: Learned = one,
                name: str = name,
                text: object = text,
                button: Button = button,
            ) -> None:
                is_gone = one not in self.forgotten
                (self.forgotten.add if is_gone else self.forgotten.discard)(one)
                button.setText("Undo" if is_gone else "Forget")
                button.setAccessibleName(f"{button.text()} {name}")
                set_tone(text, "text3" if is_gone else "")  # type: ignore[arg-type]

            button.clicked.connect(turn)
            self.buttons.append(button)
            line.addWidget(text, 1)
            line.addWidget(button)
            column.addLayout(line)
