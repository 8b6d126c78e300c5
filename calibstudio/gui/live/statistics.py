"""The table of a frame's numbers, each with its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from calibstudio.domain.wording import number, significant
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.text import plain
from calibstudio.imaging.display_numbers import RegionStatistics
from calibstudio.services.live_measure import LiveNumbers, RegionNumbers

ROW_PX = 25
COMPACT_ROW_PX = 24
_UNIT_PX = 40
ALL_NAMES = ("Median", "Mean", "Sigma (robust)", "Minimum", "Maximum", "Saturated", "At zero")
COMPACT_NAMES = ("Median", "Sigma (robust)", "Maximum", "Saturated", "At zero")


@dataclass(frozen=True, slots=True)
class StatisticRow:
    """One line of the table."""

    name: str
    value: str
    unit: str = ""
    tone: str = "text"
    tip: str = ""
    """Where it comes from."""


class StatisticsTable(QWidget):
    """Name, value and unit, a hairline below each; as many rows as there is room for."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: tuple[StatisticRow, ...] = ()
        self._row_px = ROW_PX
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Statistics")
        theme.changed.connect(self._on_theme_changed)

    @property
    def rows(self) -> tuple[StatisticRow, ...]:
        """What is shown."""
        return self._rows

    def set_compact(self, compact: bool) -> None:
        """Lower rows."""
        self._row_px = COMPACT_ROW_PX if compact else ROW_PX
        self.update()

    def set_rows(self, rows: Sequence[StatisticRow]) -> None:
        """Show these."""
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        said = [f"{r.name} {r.value} {r.unit}".strip() for r in rows]
        self.setAccessibleDescription("; ".join(said))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(280, 8 * self._row_px)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 3 * self._row_px)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        plain_font, strong = self._theme.font(13), self._theme.font(13, 500)
        metrics = QFontMetrics(strong)
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        for i, row in enumerate(self._rows):
            y, height = i * self._row_px, self._row_px
            if y + height > self.height():
                break
            painter.setFont(plain_font)
            painter.setPen(QColor(t.text2))
            painter.drawText(QRect(12, y, self.width() // 2, height), middle, row.name)
            painter.setPen(QColor(t.text3))
            unit = QRect(self.width() - 12 - _UNIT_PX, y, _UNIT_PX + 4, height)
            painter.drawText(unit, middle, row.unit)
            painter.setFont(strong)
            painter.setPen(QColor(t.hex(row.tone)))
            width = metrics.horizontalAdvance(row.value)
            box = QRect(unit.left() - 5 - width, y, width + 2, height)
            painter.drawText(box, middle, row.value)
            painter.fillRect(QRect(0, y + height - 1, self.width(), 1), QColor(t.line))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = event.pos().y() // self._row_px
            tip = self._rows[row].tip if 0 <= row < len(self._rows) else ""
            if tip:
                QToolTip.showText(event.globalPos(), plain(tip), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


def no_rows(*, compact: bool = False) -> list[StatisticRow]:
    """Return the rows before there is a frame: what will be said, without values."""
    names = COMPACT_NAMES if compact else (*ALL_NAMES, "Above bias")
    return [StatisticRow(name, "—", "", "text3", "No frame yet.") for name in names]


def statistic_rows(
    numbers: LiveNumbers, part: RegionNumbers, *, compact: bool = False
) -> list[StatisticRow]:
    """Return the rows for a region of a frame (all of it, or a part)."""
    found = part.statistics
    if found is None:
        return [StatisticRow("No pixel has a value", "")]
    where = "of the whole frame" if part.region is None else "of the region"
    rows = [
        StatisticRow("Median", number(found.median), "ADU", tip=f"Median {where}, every pixel."),
        StatisticRow("Mean", number(found.mean), "ADU", tip=f"Mean {where}, every pixel."),
        StatisticRow(
            "Sigma (robust)",
            _fine(found.sigma),
            "ADU",
            tip=f"1.4826 × median absolute deviation {where}.",
        ),
        StatisticRow("Minimum", number(found.minimum), "ADU", tip=f"Lowest pixel {where}."),
        StatisticRow("Maximum", number(found.maximum), "ADU", tip=f"Highest pixel {where}."),
        StatisticRow(
            "Saturated",
            number(found.n_saturated),
            "px",
            "warn" if found.n_saturated else "text",
            f"Pixels {where} at {number(numbers.saturation_adu)} ADU or more.",
        ),
        StatisticRow("At zero", number(found.n_zero), "px", tip=f"Pixels {where} that read 0."),
        _above_bias(numbers, found),
    ]
    if compact:
        return [row for row in rows if row.name in COMPACT_NAMES]
    return rows


def _above_bias(numbers: LiveNumbers, found: RegionStatistics) -> StatisticRow:
    if numbers.bias_adu is None:
        tip = (
            "Needs the bias: take one frame of 1 s or less with the cover closed and the lamp off."
        )
        return StatisticRow("Above bias", "not known", "", "text3", tip)
    above = found.median - numbers.bias_adu
    if numbers.e_per_adu is None:
        return StatisticRow("Above bias", number(above), "ADU", tip="Median less the bias.")
    value = above * numbers.e_per_adu
    tip = f"Median less the bias of {number(numbers.bias_adu)} ADU, {numbers.e_per_adu:g} e⁻/ADU."
    return StatisticRow(
        "Above bias", _fine(value) if abs(value) < 100 else number(value), "e⁻/px", tip=tip
    )


def _fine(value: float) -> str:
    return number(value, 1) if abs(value) >= 10 else significant(value, 3)


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number of a frame that can be followed from frame to frame."""

    name: str
    short: str
    """As the axis says it."""
    unit: str
    value: Callable[[LiveNumbers], float | None]
    least_span: float = 0.0
    """An axis shows at least so much of it."""

    @property
    def axis(self) -> str:
        """Label of its axis."""
        return f"{self.short} [{self.unit}]"


def _whole(name: str) -> Callable[[LiveNumbers], float | None]:
    def value(numbers: LiveNumbers) -> float | None:
        found = numbers.whole.statistics
        return None if found is None else float(getattr(found, name))

    return value


def _electrons(numbers: LiveNumbers) -> float | None:
    found = numbers.whole.statistics
    if found is None or numbers.bias_adu is None or numbers.e_per_adu is None:
        return None
    return (found.median - numbers.bias_adu) * numbers.e_per_adu


STATISTICS = (
    Statistic("Median", "Median", "ADU", _whole("median"), 4.0),
    Statistic("Mean", "Mean", "ADU", _whole("mean"), 2.0),
    Statistic("Sigma (robust)", "Sigma", "ADU", _whole("sigma"), 0.5),
    Statistic("Minimum", "Minimum", "ADU", _whole("minimum"), 4.0),
    Statistic("Maximum", "Maximum", "ADU", _whole("maximum"), 4.0),
    Statistic("Saturated", "Saturated", "px", _whole("n_saturated"), 4.0),
    Statistic("At zero", "At zero", "px", _whole("n_zero"), 4.0),
    Statistic("Above bias", "Above bias", "e⁻/px", _electrons, 1.0),
    Statistic("Gradient", "Gradient", "ADU", lambda n: n.assessment.value("gradient"), 1.0),
    Statistic("Sensor temperature", "Sensor", "°C", lambda n: n.frame.sensor_c, 0.4),
    Statistic("Cooler power", "Power", "%", lambda n: n.frame.cooler_power_pct, 4.0),
    Statistic("Exposure", "Exposure", "s", lambda n: n.frame.exposure_s, 0.1),
)
