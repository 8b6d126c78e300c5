"""The tables about one master: metrics, header, inputs, history; one line a column."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt

from calibstudio.domain.master import InputRecord
from calibstudio.domain.quality import Metric, Verdict
from calibstudio.domain.wording import number, significant
from calibstudio.gui.widgets.table import Column
from calibstudio.gui.widgets.verdict import kind_of


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card of a header."""

    keyword: str
    value: str
    comment: str


def _whole(value: int | None) -> str:
    return "" if value is None else number(value)


HEADER_COLUMNS: tuple[Column[CardRow], ...] = (
    Column("Keyword", lambda c: c.keyword, tooltip=lambda c: c.comment, width=100, strong=True),
    Column("Value", lambda c: c.value, tooltip=lambda c: c.value, width=190),
    Column(
        "Comment", lambda c: c.comment, tooltip=lambda c: c.comment, width=240, least=120, goes=1
    ),
)
INPUT_COLUMNS: tuple[Column[InputRecord], ...] = (
    Column(
        "File",
        lambda i: i.file,
        tooltip=lambda i: f"{i.file}\nSHA-256 {i.sha256}",
        tone=lambda i: None if i.used else "text3",
        width=190,
        cut=Qt.TextElideMode.ElideMiddle,
    ),
    Column(
        "Level [ADU]",
        lambda i: i.level_adu,
        lambda v: "" if v is None else number(v, 1),
        align="right",
        width=96,
    ),
    Column(
        "Rejected [%]",
        lambda i: i.rejected_fraction,
        lambda v: "" if v is None else number(100 * v, 3),
        align="right",
        width=100,
    ),
    Column("Low", lambda i: i.rejected_low, _whole, align="right", width=84),
    Column("High", lambda i: i.rejected_high, _whole, align="right", width=84),
    Column(
        "Weight",
        lambda i: i.weight,
        lambda v: "" if v is None else number(v, 3),
        align="right",
        width=72,
    ),
    Column("Used", lambda i: "yes" if i.used else "no", width=64),
    Column("Reason", lambda i: i.reason, tooltip=lambda i: i.reason, width=220),
)
HISTORY_COLUMNS: tuple[Column[tuple[str, str, str]], ...] = (
    Column("When [UTC]", lambda h: h[0], width=150),
    Column("What", lambda h: h[1], width=120),
    Column("Reason", lambda h: h[2], tooltip=lambda h: h[2], width=240),
)


def metric_text(metric: Metric) -> str:
    if metric.value is None:
        return "not measured"
    text = (
        significant(metric.value, 3)
        if metric.decimals is None
        else number(metric.value, metric.decimals)
    )
    return f"{text}\u202f{metric.unit}" if metric.unit else text


METRIC_COLUMNS: tuple[Column[Metric], ...] = (
    Column("Metric", lambda m: m.label, tooltip=lambda m: m.label, width=132),
    Column("Value", metric_text, align="right", tooltip=lambda m: m.why, width=104),
    Column(
        "Verdict",
        lambda m: m.verdict,
        tag=lambda m: None if m.verdict is None else (kind_of(m.verdict), m.verdict.value),
        sort_key=lambda v: v.severity if isinstance(v, Verdict) else -1,
        tooltip=lambda m: m.why,
        width=84,
    ),
    Column("Why", lambda m: m.why, tooltip=lambda m: m.why, width=300, least=140, goes=1),
)
