"""The text cursor in the accent colour.

Qt draws its own by inverting what is below it, which in the night theme is a white line. So
Qt's is made 0 px wide and a small widget of ours stands in its place, in every text field of the
program, those inside spin boxes and Qt's own dialogs included.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMetaObject, QObject, QPoint, QRect, Qt, QTimer, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QProxyStyle,
    QStyle,
    QStyleOption,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

from calibstudio.gui.theme import ThemeState

Editor = QLineEdit | QPlainTextEdit | QTextEdit


class _NoCaretStyle(QProxyStyle):
    """Fusion with a text cursor that cannot be seen. Set on line edits alone."""

    def pixelMetric(
        self,
        metric: QStyle.PixelMetric,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> int:
        if metric == QStyle.PixelMetric.PM_TextCursorWidth:
            return 0
        return super().pixelMetric(metric, option, widget)


class _Mark(QWidget):
    """The cursor itself: a child of the field it stands in."""

    def __init__(self, theme: ThemeState, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._theme.color("accent"))


class Caret(QObject):
    """Follows the focus and stands where the next letter goes."""

    WIDTH = 2

    def __init__(self, theme: ThemeState, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._style = _NoCaretStyle("Fusion")
        self._style.setParent(QApplication.instance())
        self._editor: Editor | None = None
        self._mark: _Mark | None = None
        self._ground: QWidget | None = None
        self._heard: list[QMetaObject.Connection] = []
        self._blink = QTimer(self)
        self._blink.timeout.connect(self._on_blink)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus)

    @property
    def is_shown(self) -> bool:
        """Whether it stands in a field now (between two blinks it may be unseen)."""
        return self._mark is not None

    @Slot(QWidget, QWidget)
    def _on_focus(self, old: QWidget | None, new: QWidget | None) -> None:
        self._leave()
        editor = _editor_of(new)
        if editor is None or editor.isReadOnly():
            return
        if isinstance(editor, QLineEdit):
            if editor.style().pixelMetric(QStyle.PixelMetric.PM_TextCursorWidth, None, editor):
                editor.setStyle(self._style)
            ground: QWidget = editor
            self._heard.append(editor.textChanged.connect(self._on_moved))
        else:
            editor.setCursorWidth(0)
            ground = editor.viewport()
        self._heard.append(editor.cursorPositionChanged.connect(self._on_moved))
        self._editor = editor
        self._mark = _Mark(self._theme, ground)
        self._ground = ground
        ground.installEventFilter(self)
        self._on_moved()

    def _leave(self) -> None:
        """Let go of the field that had the focus. Parts of it may be destroyed already."""
        self._blink.stop()
        self._editor = None
        mark, self._mark = self._mark, None
        ground, self._ground = self._ground, None
        if ground is not None and isValid(ground):
            ground.removeEventFilter(self)
        if mark is not None and isValid(mark):
            mark.hide()
            mark.deleteLater()
        # By connection: Qt may have cut some of them itself while the field is being destroyed.
        heard, self._heard = self._heard, []
        for connection in heard:
            QObject.disconnect(connection)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Paint, QEvent.Type.Resize):
            # Qt scrolls a long text while it paints: look again right after.
            QTimer.singleShot(0, self._place)
        return False

    @Slot()
    def _on_moved(self) -> None:
        half = QApplication.cursorFlashTime() // 2
        if half > 0:
            self._blink.start(half)
        self._place()
        if self._mark is not None and isValid(self._mark):
            self._mark.show()
            self._mark.raise_()

    @Slot()
    def _place(self) -> None:
        if self._editor is None or self._mark is None:
            return
        if not (isValid(self._editor) and isValid(self._mark)):
            return
        box = _caret_rect(self._editor)
        wanted = QRect(box.topLeft() - QPoint(self.WIDTH // 2, 0), box.size())
        wanted.setWidth(self.WIDTH)
        if wanted != self._mark.geometry():
            self._mark.setGeometry(wanted)

    @Slot()
    def _on_blink(self) -> None:
        if self._mark is not None and isValid(self._mark):
            self._mark.setVisible(not self._mark.isVisible())


def _editor_of(widget: QWidget | None) -> Editor | None:
    if isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit):
        return widget
    if isinstance(widget, QAbstractSpinBox | QComboBox):
        return widget.findChild(QLineEdit)
    return None


def _caret_rect(editor: Editor) -> QRect:
    if isinstance(editor, QLineEdit):
        found = editor.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
        rect = found.toRect() if hasattr(found, "toRect") else QRect(found)
        # The rectangle is a little wider than the cursor, which stands in its middle.
        return QRect(rect.center().x(), rect.top() + 1, 1, max(rect.height() - 2, 4))
    return editor.cursorRect()
