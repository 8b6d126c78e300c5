"""What a bad-pixel map holds: how many pixels of each kind, and the legend of their marks."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from calibstudio.domain.defects import MEANING, WORDS, Defect
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.wording import number, significant
from calibstudio.gui.library.defect_picture import DefectMap, paint_mark
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import ElidedLabel, label

_METRIC = {
    Defect.HOT: "hot_pixel_count",
    Defect.DEAD: "dead_pixels",
    Defect.COLD: "cold_pixels",
    Defect.UNSTABLE: "unstable_pixels",
}
_MARK_PX = 9


class _Mark(QWidget):
    """The mark of a kind as it is in the picture, on the ground of a picture."""

    def __init__(self, theme: ThemeState, kind: Defect) -> None:
        super().__init__()
        self._theme, self._kind = theme, kind
        self.setFixedSize(QSize(_MARK_PX + 8, _MARK_PX + 8))
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        from calibstudio.gui.picture.rendering import overlay_tokens

        painter = QPainter(self)
        tokens = overlay_tokens(self._theme.tokens)
        painter.fillRect(self.rect(), tokens.color("plot"))
        paint_mark(painter, QPoint(4, 4), self._kind, tokens, _MARK_PX)


class DefectCounts(QWidget):
    """One line for each kind: its mark, its name, how many, how many per cent."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Bad pixels of each kind")
        self._lines: dict[Defect, tuple[QLabel, QLabel]] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(4, 1)
        for row, kind in enumerate(WORDS):
            many, share = label("", "medium"), label("", "small", tone="text2")
            for text in (many, share):
                text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            meaning = ElidedLabel(MEANING[kind].partition(": ")[2], "note")
            grid.addWidget(_Mark(theme, kind), row, 0)
            grid.addWidget(label(WORDS[kind].capitalize()), row, 1)
            grid.addWidget(many, row, 2)
            grid.addWidget(share, row, 3)
            grid.addWidget(meaning, row, 4)
            self._lines[kind] = (many, share)
        self._total = label("", "small", tone="text2", wrap=True)
        self._missing = label("", "note", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addWidget(self._total)
        column.addWidget(self._missing)
        column.addStretch(1)

    def show_map(self, record: MasterRecord, defects: DefectMap) -> None:
        """Show the numbers; what was not looked for is said, never 0."""
        missing = []
        for kind, (many, share) in self._lines.items():
            metric = record.assessment.metric(_METRIC[kind])
            n = defects.counts[kind]
            looked = n > 0 or (metric is not None and metric.value is not None)
            if kind is Defect.DEAD and not looked:  # said with the cold ones
                looked = record.assessment.value("cold_pixels") is not None
            if not looked and metric is not None:
                missing.append(metric.why)
            many.setText(number(n) if looked else "unknown")
            share.setText(_percent(n, defects.n_pixels) if looked else "")
            many.setAccessibleName(f"{WORDS[kind].capitalize()}: {many.text()} {share.text()}")
        total = f"{number(defects.n_bad)} of {number(defects.n_pixels)} pixels are bad"
        self._total.setText(
            f"{total}, {_percent(defects.n_bad, defects.n_pixels)}; a pixel may be of two kinds."
        )
        self._missing.setText(" ".join(missing))
        self._missing.setVisible(bool(missing))


def _percent(n: int, total: int) -> str:
    return f"{significant(100.0 * n / max(1, total), 2)}\u202f%"
