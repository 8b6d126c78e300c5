"""The table of masters: one line a column."""

from __future__ import annotations

from collections.abc import Mapping

from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import BPM, NO_FILTER, FrameKind, kind_title
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.verdict_words import words
from calibstudio.domain.wording import number, significant
from calibstudio.gui.widgets.table import Column, verdict_column

REVIEW_WORDS = {
    ReviewState.NEW: "",
    ReviewState.APPROVED: "Approved",
    ReviewState.REJECTED: "Rejected",
    ReviewState.RETIRED: "Retired",
}
_UNC = words("unc_median").label


def value_of(record: MasterRecord, word: str) -> HeaderValue | None:
    """Return a value of the master: of its group's key, else of its inputs."""
    found = record.key.get(word)
    return found if found is not None else record.values.get(word)


def _unc(record: MasterRecord) -> tuple[float, str] | None:
    """Return what says how good a master is: S/N of a flat, else its median uncertainty."""
    name = "master_snr" if record.kind == FrameKind.FLAT else "unc_median"
    metric = record.assessment.metric(name)
    if metric is None or metric.value is None:
        return None
    return metric.value, metric.unit


def _unc_text(found: tuple[float, str] | None) -> str:
    """Write ``501`` (S/N of a flat) or ``1.05 ADU`` (median uncertainty of the others)."""
    if found is None:
        return ""
    value, unit = found
    # Below a tenth of an ADU two decimals say nothing.
    text = number(value, 2 if unit else 0) if unit == "" or value >= 0.1 else significant(value, 3)
    return f"{text}\u202f{unit}" if unit else text


def _dim(record: MasterRecord) -> str | None:
    gone = record.state in (ReviewState.REJECTED, ReviewState.RETIRED)
    return "text3" if gone else None


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _filter(record: MasterRecord) -> HeaderValue | None:
    return None if record.kind in NO_FILTER else value_of(record, "filter")


def _temperature(record: MasterRecord) -> HeaderValue | None:
    found = value_of(record, "set_temp_c")
    return found if found is not None else value_of(record, "sensor_temp_c")


def _one_decimal(value: object) -> str:
    return number(float(value), 1) if isinstance(value, int | float) else ""


def _review_tag(record: MasterRecord) -> tuple[str, str] | None:
    kinds = {
        ReviewState.APPROVED: "good",
        ReviewState.REJECTED: "bad",
        ReviewState.RETIRED: "info",
    }
    kind = kinds.get(record.state)
    return None if kind is None else (kind, REVIEW_WORDS[record.state])


COLUMNS: tuple[Column[MasterRecord], ...] = (
    Column("Kind", lambda r: kind_title(r.kind), tone=_dim, width=110, strong=True),
    Column("Filter", _filter, tone=_dim, width=52),
    Column(
        "Exposure [s]",
        lambda r: value_of(r, "exposure_s"),
        _plain,
        align="right",
        tone=_dim,
        width=98,
    ),
    Column("Set [°C]", _temperature, _one_decimal, align="right", tone=_dim, width=74, goes=3),
    Column(
        "Gain", lambda r: value_of(r, "gain"), _plain, align="right", tone=_dim, width=58, goes=2
    ),
    Column(
        "Frames",
        lambda r: r.n_combined,
        lambda n: number(n),
        align="right",
        tone=_dim,
        tooltip=lambda r: f"{r.n_combined} of {r.n_frames} offered frames are in it",
        width=66,
    ),
    Column("Night", lambda r: value_of(r, "night"), _plain, tone=_dim, width=102),
    Column(
        "UNC or S/N",
        _unc,
        _unc_text,
        align="right",
        tooltip=lambda r: words("master_snr").label if r.kind == FrameKind.FLAT else _UNC,
        tone=_dim,
        width=92,
    ),
    verdict_column("Verdict", lambda r: r.verdict, tooltip=lambda r: verdict_line(r)),
    Column(
        "Review",
        lambda r: REVIEW_WORDS[r.state],
        tag=_review_tag,
        tooltip=lambda r: r.state_reason,
        width=98,
    ),
    Column("Camera", lambda r: value_of(r, "camera"), tone=_dim, width=170, least=120, goes=1),
)


def verdict_line(record: MasterRecord) -> str:
    """Return the sentence that decides, or that nothing is wrong."""
    finding = record.assessment.worst_finding
    return "Nothing wrong was found." if finding is None else finding.what


def master_title(record: MasterRecord) -> str:
    """Return ``Master flat · Ha · 2026-04-17``."""
    parts = ["Bad-pixel map" if record.kind == BPM else f"Master {record.kind}"]
    key: Mapping[str, HeaderValue] = {**record.values, **record.key}
    if record.kind in ("dark", "dark flat") and "exposure_s" in key:
        parts.append(f"{_plain(key['exposure_s'])}\u202fs")
    if record.kind == "flat" and "filter" in key:
        parts.append(str(key["filter"]))
    if "night" in key:
        parts.append(str(key["night"]))
    return " · ".join(parts)
