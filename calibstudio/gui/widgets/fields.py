"""Inputs: a number with its unit, a choice, a text, a folder; and a label above any of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, Qt, Signal, Slot
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QStyle,
    QStyleOptionSpinBox,
    QVBoxLayout,
    QWidget,
)

from calibstudio.domain.wording import MINUS, NARROW, number
from calibstudio.gui.icons import icon
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import label, plain, repolish, set_tone


class NumberField(QDoubleSpinBox):
    """A number with its unit inside, and arrows.

    Accepts a minus or hyphen, a comma or point, and spaces between thousands. The wheel turns it
    only while it has the focus, so that scrolling a panel changes nothing.

    Signals
    -------
    edited(float)
        The operator changed the number: typed it and left the field, or stepped. Setting it by
        program says nothing.
    """

    edited = Signal(float)

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str,
        unit: str = "",
        value: float = 0.0,
        minimum: float = 0.0,
        maximum: float = 1e9,
        decimals: int = 0,
        step: float = 1.0,
        large: bool = False,
        trim: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``large`` is the one that matters most (44 px high); ``trim`` drops trailing zeros."""
        super().__init__(parent)
        self._theme = theme
        self._unit = unit
        self._large = large
        self._trim = trim
        if large:
            self.setProperty("large", "true")
        self.setAccessibleName(f"{name} [{unit}]" if unit else name)
        self.setDecimals(decimals)
        self.setRange(minimum, maximum)
        self.setSingleStep(step)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setValue(value)
        self._said = self.value()
        self.editingFinished.connect(self._on_finished)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def set_value(self, value: float) -> None:
        """Show a number; says nothing. Left alone while the operator is typing in it."""
        if self.lineEdit().isModified() and self.hasFocus():
            return
        if value != self.value():
            self.setValue(value)
        self._said = self.value()

    def set_unit(self, unit: str) -> None:
        """Show another unit."""
        self._unit = unit
        self._on_theme_changed()

    def set_bad(self, bad: bool) -> None:
        """Mark the number as one that does not work; say why beside it."""
        if self.property("bad") != ("true" if bad else "false"):
            self.setProperty("bad", "true" if bad else "false")
            repolish(self)

    def textFromValue(self, value: float) -> str:
        text = number(value, self.decimals())
        return text.rstrip("0").rstrip(".") if self._trim and "." in text else text

    def valueFromText(self, text: str) -> float:
        try:
            return float(_ascii(text))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        ascii_text = _ascii(text)
        if ascii_text in ("", "-", "+", ".", "-."):
            return (QValidator.State.Intermediate, text, position)
        try:
            value = float(ascii_text)
        except ValueError:
            return (QValidator.State.Invalid, text, position)
        inside = self.minimum() <= value <= self.maximum()
        state = QValidator.State.Acceptable if inside else QValidator.State.Intermediate
        return (state, text, position)

    def fixup(self, text: str) -> str:
        """Bring a number that is outside the limits to the nearest one."""
        try:
            value = float(_ascii(text))
        except ValueError:
            return self.textFromValue(self.value())
        return self.textFromValue(min(max(value, self.minimum()), self.maximum()))

    def stepBy(self, steps: int) -> None:
        super().stepBy(steps)
        self._say()

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Space
            and not self.lineEdit().isModified()
        ):
            # Nobody begins a number with a space: it stays "take one frame".
            event.ignore()
            return False
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._unit:
            return
        option = QStyleOptionSpinBox()
        self.initStyleOption(option)
        edit = self.style().subControlRect(
            QStyle.ComplexControl.CC_SpinBox,
            option,
            QStyle.SubControl.SC_SpinBoxEditField,
            self,
        )
        painter = QPainter(self)
        painter.setFont(self._theme.font(13))
        painter.setPen(self._theme.color("text3" if self.isEnabled() else "disabled"))
        box = QRect(edit.left(), 0, edit.width() - 6, self.height())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(box, int(flags), self._unit)

    def _least_width(self, unit_px: int) -> int:
        """Return the width at which a short value can be read beside arrows of touch size."""
        if not self._theme.sizes.touch:
            return 84
        arrows = 2 * self._theme.sizes.control
        font = self._theme.font(18, 600) if self._large else self._theme.font(14)
        return arrows + QFontMetrics(font).horizontalAdvance("0.00") + unit_px + 32

    def _say(self) -> None:
        if self.value() != self._said:
            self._said = self.value()
            self.edited.emit(self._said)

    @Slot()
    def _on_finished(self) -> None:
        self.lineEdit().setModified(False)
        self._say()

    @Slot()
    def _on_theme_changed(self) -> None:
        if self._large:
            self.setFont(self._theme.font(18, 600))
            self.setFixedHeight(self._theme.sizes.primary)
        room = QFontMetrics(self._theme.font(13)).horizontalAdvance(self._unit)
        self.setMinimumWidth(self._least_width(room))
        self.lineEdit().setTextMargins(7, 0, room + 8 if self._unit else 0, 0)
        self.update()


def _ascii(text: str) -> str:
    """Return a typed number as Python reads it."""
    for space in (NARROW, "\u00a0", "\u2009", " "):
        text = text.replace(space, "")
    return text.replace(MINUS, "-").replace("–", "-").replace(",", ".")


class ComboField(QComboBox):
    """One of several values, each with its words.

    Signals
    -------
    chosen(object)
        The operator chose another value. Setting it by program says nothing.
    """

    chosen = Signal(object)

    def __init__(
        self,
        theme: ThemeState,
        options: Sequence[tuple[object, str]] = (),
        *,
        name: str,
        value: object = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._values: list[object] = []
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(self._on_activated)
        self._said: object = None
        self.set_options(options, value)

    def set_options(self, options: Sequence[tuple[object, str]], value: object = None) -> None:
        """Offer other values; keeps the value that is chosen where it is still offered."""
        keep = value if value is not None else self.value
        self.clear()
        self._values = [v for v, _ in options]
        self.addItems([words for _, words in options])
        for row, (_, words) in enumerate(options):
            self.setItemData(row, plain(words), Qt.ItemDataRole.ToolTipRole)
        self.set_value(keep if keep in self._values else self._values[0] if options else None)

    @property
    def value(self) -> object:
        """The chosen value; None when nothing is offered."""
        row = self.currentIndex()
        return self._values[row] if 0 <= row < len(self._values) else None

    def set_value(self, value: object) -> None:
        """Show a value; says nothing."""
        row = self._values.index(value) if value in self._values else -1
        if row != self.currentIndex():
            self.setCurrentIndex(row)
        self._said = self.value
        self.setToolTip(plain(self.currentText()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Scrolling a panel must not change a setting.
        event.ignore()

    @Slot(int)
    def _on_activated(self, _row: int) -> None:
        self.setToolTip(plain(self.currentText()))
        if self.value != self._said:
            self._said = self.value
            self.chosen.emit(self.value)


class TextField(QLineEdit):
    """One line of text, with an icon before it where it says what is meant."""

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str,
        text: str = "",
        placeholder: str = "",
        icon_name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._theme = theme
        self._icon_name = icon_name
        self.setAccessibleName(name)
        self.setPlaceholderText(placeholder)
        self._action = None
        if icon_name:
            self._action = self.addAction(
                icon(icon_name, theme.tokens, "text3"), QLineEdit.ActionPosition.LeadingPosition
            )
            self._action.setToolTip(name)
        theme.changed.connect(self._on_theme_changed)

    def set_bad(self, bad: bool) -> None:
        """Mark the text as one that does not work; say why beside it."""
        if self.property("bad") != ("true" if bad else "false"):
            self.setProperty("bad", "true" if bad else "false")
            repolish(self)

    @Slot()
    def _on_theme_changed(self) -> None:
        if self._action is not None:
            self._action.setIcon(icon(self._icon_name, self._theme.tokens, "text3"))


class SearchField(TextField):
    """A text field that finds things; Escape empties it.

    Signals
    -------
    searched(str)
        The words changed; a moment after the last key, so that a list is not filtered for each.
    """

    searched = Signal(str)

    def __init__(
        self,
        theme: ThemeState,
        *,
        name: str = "Search",
        placeholder: str = "Search",
        delay_ms: int = 150,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            theme, name=name, placeholder=placeholder, icon_name="search", parent=parent
        )
        from PySide6.QtCore import QTimer

        self.setClearButtonEnabled(True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(delay_ms)
        self._timer.timeout.connect(self._on_due)
        self.textEdited.connect(self._timer.start)
        self.textChanged.connect(self._on_changed)

    def event(self, event: QEvent) -> bool:
        if (
            isinstance(event, QKeyEvent)
            and event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
            and event.key() == Qt.Key.Key_Escape
            and self.text()
        ):
            if event.type() == QEvent.Type.KeyPress:
                self.clear()
            event.accept()
            return True
        return super().event(event)

    @Slot()
    def _on_due(self) -> None:
        self.searched.emit(self.text().strip())

    @Slot(str)
    def _on_changed(self, text: str) -> None:
        if not text:
            self._timer.stop()
            self.searched.emit("")


class Labelled(QWidget):
    """A field with its label above it and, where there is something to say, a note below."""

    def __init__(
        self, text: str, field: QWidget, *, note: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.field = field
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._label = label(text, "label")
        self._label.setBuddy(field)
        self._note = label(note, "caption", wrap=True)
        self._note.setVisible(bool(note))
        column.addWidget(self._label)
        column.addWidget(field)
        column.addWidget(self._note)
        if not field.accessibleName():
            field.setAccessibleName(text)

    @property
    def label(self) -> QLabel:
        """The label above the field."""
        return self._label

    def set_note(self, text: str, tone: str = "") -> None:
        """Say something below the field: a range, or why the value does not work."""
        self._note.setText(text)
        self._note.setVisible(bool(text))
        set_tone(self._note, tone)
