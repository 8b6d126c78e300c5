"""The table of a group's frames: what each file says and what was measured, one line a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QMimeData, QModelIndex, Qt

from calibstudio.domain.header import FrameHeader
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.domain.wording import number
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.tree_model import MIME, AnyIndex, frames_mime
from calibstudio.gui.widgets.table import Column, RecordTableModel, verdict_column


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame as the table shows it."""

    number: int
    path: Path
    header: FrameHeader | None
    assessment: Assessment | None
    left_out: str | None
    """Reason; None: used."""

    @property
    def verdict(self) -> Verdict | None:
        """None until it was measured."""
        return None if self.assessment is None else self.assessment.verdict

    def value(self, metric: str) -> float | None:
        """A measured number; None when it was not measured."""
        return None if self.assessment is None else self.assessment.value(metric)

    @property
    def finding(self) -> Finding | None:
        """What is wrong with it; None when nothing is, or it was not measured."""
        return None if self.assessment is None else self.assessment.worst_finding

    @property
    def reason(self) -> str:
        """Why it is left out or what is wrong with it, in a few words."""
        if self.left_out is not None:
            return self.left_out or "left out by hand"
        finding = self.finding
        return "" if finding is None else f"{_capital(finding.title)}: {_small(finding.what)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    """Go on after a colon: ``Gradient 23.5`` becomes ``gradient 23.5``, ``S/N 480`` stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def frame_rows(state: FramesState, frames: Sequence[Path]) -> list[FrameRow]:
    """Return a row for each frame, numbered in their order."""
    return [frame_row(state, path, n) for n, path in enumerate(frames, start=1)]


def frame_row(state: FramesState, path: Path, n: int) -> FrameRow:
    """Return the row of one frame, the n-th of its group."""
    grouping = state.grouping
    return FrameRow(
        n,
        path,
        grouping.headers.get(path),
        state.assessment(path),
        grouping.excluded.get(path),
    )


def _time(row: FrameRow) -> datetime | None:
    return None if row.header is None else row.header.observed_utc


def _metric(title: str, name: str, digits: int, width: int, goes: int = 0) -> Column[FrameRow]:
    """A column of one metric; its cell alone is coloured when it is over its limit."""

    def tone(row: FrameRow) -> str | None:
        metric = None if row.assessment is None else row.assessment.metric(name)
        if metric is None or metric.verdict is None or metric.verdict is Verdict.GOOD:
            return None
        return "warn" if metric.verdict is Verdict.WARN else "bad"

    def tip(row: FrameRow) -> str:
        metric = None if row.assessment is None else row.assessment.metric(name)
        return "" if metric is None else metric.why

    def text(value: float | None) -> str:
        return "" if value is None else number(value, digits)

    return Column(
        title,
        lambda row: row.value(name),
        text,
        align="right",
        tone=tone,
        tooltip=tip,
        width=width,
        goes=goes,
    )


def _dimmed(row: FrameRow) -> str | None:
    return None if row.left_out is None else "text3"


def _quiet(row: FrameRow) -> str:
    return "text3" if row.left_out is not None else "text2"


def _temperature(value: float | None) -> str:
    return "" if value is None else number(value, 1)


def columns(kind: str) -> list[Column[FrameRow]]:
    """Return the columns that make sense for a kind of frame.

    Where the window is narrow the least telling go first; the card says all numbers.
    """
    shown: list[Column[FrameRow]] = [
        Column("#", lambda r: number(r.number), align="right", width=46),
        Column(
            "File",
            lambda r: r.path.name,
            tooltip=lambda r: str(r.path),
            tone=_dimmed,
            width=170,
            cut=Qt.TextElideMode.ElideMiddle,
        ),
        Column(
            "Time [UTC]", _time, lambda t: "" if t is None else f"{t:%H:%M:%S}", width=92, goes=3
        ),
    ]
    if kind in ("flat", "light"):
        shown.append(
            Column(
                "Exposure [s]",
                lambda r: None if r.header is None else r.header.exposure_s,
                lambda v: "" if v is None else f"{v:g}",
                align="right",
                width=98,
                goes=4,
            )
        )
    shown += [
        Column(
            "Sensor [°C]",
            lambda r: None if r.header is None else r.header.sensor_temp_c,
            _temperature,
            align="right",
            tone=_temperature_tone,
            width=90,
            goes=5,
        ),
        _metric("Median [ADU]", "level", 1, 102),
        _metric("Sigma [ADU]", "noise", 2, 96, goes=6),
        _metric("Gradient [ADU]" if kind != "flat" else "Gradient [%]", "gradient", 1, 112),
    ]
    if kind in ("dark", "dark flat"):
        shown.append(_metric("Hot [px]", "hot_pixel_count", 0, 72, goes=1))
    if kind in ("flat", "light"):
        shown.append(_metric("Saturated [%]", "saturated", 3, 108, goes=2))
    shown += [
        verdict_column("Verdict", lambda r: r.verdict, tooltip=lambda r: r.reason),
        Column(
            "Reason",
            lambda r: r.reason,
            tone=_quiet,
            tooltip=lambda r: r.reason,
            width=260,
            least=110,
        ),
    ]
    return shown


def _temperature_tone(row: FrameRow) -> str | None:
    metric = None if row.assessment is None else row.assessment.metric("temperature_error")
    if metric is None or metric.verdict in (None, Verdict.GOOD):
        return None
    return "warn" if metric.verdict is Verdict.WARN else "bad"


DRAGGED = (
    Qt.ItemFlag.ItemIsEnabled
    | Qt.ItemFlag.ItemIsSelectable
    | Qt.ItemFlag.ItemIsDragEnabled
    | Qt.ItemFlag.ItemNeverHasChildren
)


class FrameTableModel(RecordTableModel[FrameRow]):
    """Frames that can be dragged onto a group of the tree."""

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        return DRAGGED if index.isValid() else Qt.ItemFlag.NoItemFlags

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        rows = sorted({i.row() for i in indexes})
        return frames_mime(self.record(row).path for row in rows)

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction
