"""The table of two masters: settings, numbers, inputs and the difference, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.group_titles import value_text
from calibstudio.domain.header import JSON_WORDS, HeaderValue
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.master import InputRecord, MasterRecord
from calibstudio.domain.quality import Metric
from calibstudio.domain.wording import MINUS, number, significant
from calibstudio.gui.library.detail_columns import metric_text
from calibstudio.gui.library.table import value_of
from calibstudio.gui.widgets.table import Column
from calibstudio.services.master_compare import MasterComparison

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One fact of both masters."""

    section: str
    name: str
    one: str
    two: str
    change: str = ""
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether the two say different things."""
        return self.one != self.two


def _tone(row: ComparedRow) -> str | None:
    return None if row.differs else "text3"


COMPARED_COLUMNS: tuple[Column[ComparedRow], ...] = (
    Column("Of", lambda r: r.section, tone=_tone, width=92, goes=1),
    Column("What", lambda r: r.name, tone=_tone, tooltip=lambda r: r.why, width=210, strong=True),
    Column(
        "",
        lambda r: "differs" if r.differs else "",
        tag=lambda r: ("info", "differs") if r.differs else None,
        width=92,
    ),
    Column("First", lambda r: r.one, tone=_tone, tooltip=lambda r: r.one, width=230),
    Column("Second", lambda r: r.two, tone=_tone, tooltip=lambda r: r.two, width=230),
    Column("Second less first", lambda r: r.change, tone=_tone, width=150, least=120),
)


def compared_rows(one: MasterRecord, two: MasterRecord) -> list[ComparedRow]:
    """Return what the library knows of both: settings, how they were made, and the numbers."""
    return [*_settings(one, two), *_making(one, two), *_metrics(one, two)]


def input_rows(found: MasterComparison) -> list[ComparedRow]:
    """Return how the frames of both differ."""
    one, two = found.inputs
    used = [{i.sha256 for i in inputs if i.used} for inputs in (one, two)]
    shared = len(used[0] & used[1])
    rows = [
        ComparedRow(
            "Frames",
            "Only in this one",
            number(len(used[0]) - shared),
            number(len(used[1]) - shared),
            why=f"{number(shared)} frames are in both, told by their SHA-256.",
        )
    ]
    left_out = [[i for i in inputs if not i.used] for inputs in (one, two)]
    if any(left_out):
        rows.append(
            ComparedRow(
                "Frames",
                "Left out",
                number(len(left_out[0])),
                number(len(left_out[1])),
                why="\n".join(_reason(i) for side in left_out for i in side),
            )
        )
    return rows


def difference_rows(found: MasterComparison) -> list[tuple[str, str, str]]:
    """Return (name, value, where it comes from) of the difference picture."""
    numbers = found.numbers
    if numbers is None:
        return []

    def said(value: float) -> str:
        return f"{significant(value, 3)}\u202f{found.unit}".strip()

    x, y = numbers.largest_at
    share = 100.0 * numbers.n_different / numbers.n_pixels
    rows = [
        ("Median", said(numbers.median), "The level's own change"),
        ("Scatter", said(numbers.sigma), "1.4826 times the median absolute deviation"),
        (
            "Expected scatter",
            said(numbers.expected_sigma) if isfinite(numbers.expected_sigma) else UNKNOWN,
            "Median of both uncertainties (UNC), added in quadrature",
        ),
        ("Farthest", f"{said(numbers.largest)} at {x}, {y}", "Column and row, 0-based"),
        (
            "Not the same",
            f"{number(numbers.n_different)} ({significant(share, 3)}\u202f%)",
            f"Of {number(numbers.n_pixels)} pixels that both know",
        ),
    ]
    rows += [
        (metric.label, metric_text(metric), metric.why)
        for metric in found.changes.metrics
        if metric.value is not None
    ]
    return rows


def _settings(one: MasterRecord, two: MasterRecord) -> Iterator[ComparedRow]:
    yield ComparedRow("Settings", "Kind", kind_title(one.kind), kind_title(two.kind))
    for word in JSON_WORDS:
        a, b = value_of(one, word), value_of(two, word)
        if a is None and b is None:
            continue
        texts = [_value(word, v) for v in (a, b)]
        change = ""
        if isinstance(a, int | float) and isinstance(b, int | float) and texts[0] != texts[1]:
            change = _signed(float(b) - float(a))
        name = WORDS[word]
        if name[1].isalpha():  # Not e-/ADU.
            name = name[0].upper() + name[1:]
        yield ComparedRow("Settings", name, texts[0], texts[1], change)


def _value(word: str, value: HeaderValue | None) -> str:
    """Write a value without its name, which the row has."""
    if value is None:
        return UNKNOWN
    text = value_text(word, value)
    for name in (WORDS[word], "bin"):
        text = text.removeprefix(f"{name} ")
    return text


def _making(one: MasterRecord, two: MasterRecord) -> Iterator[ComparedRow]:
    def frames(record: MasterRecord) -> str:
        return f"{number(record.n_combined)} of {number(record.n_frames)}"

    change = two.n_combined - one.n_combined
    yield ComparedRow(
        "Frames", "Frames", frames(one), frames(two), _signed(change) if change else ""
    )
    yield ComparedRow("Made", "Recipe", one.recipe, two.recipe)
    yield ComparedRow("Made", "Program", one.software or UNKNOWN, two.software or UNKNOWN)
    yield ComparedRow("Made", "Taken out", _taken_out(one), _taken_out(two))
    yield ComparedRow("Made", "Verdict", one.verdict.value, two.verdict.value)


def _taken_out(record: MasterRecord) -> str:
    used = ", ".join(f"{u.kind} {u.sha256[:10]}" for u in record.used)
    return used or ("bias" if record.bias_subtracted else "nothing")


def _metrics(one: MasterRecord, two: MasterRecord) -> Iterator[ComparedRow]:
    others = {m.name: m for m in two.assessment.metrics}
    pairs: list[tuple[Metric | None, Metric | None]] = [
        (m, others.pop(m.name, None)) for m in one.assessment.metrics
    ]
    pairs += [(None, m) for m in others.values()]
    for a, b in pairs:
        known = a or b
        if known is None or all(m is None or m.value is None for m in (a, b)):
            continue
        change = ""
        if a and b and a.value is not None and b.value is not None and a.unit == b.unit:
            delta = b.value - a.value
            change = f"{_signed(delta)}\u202f{a.unit}".strip() if delta else ""
        texts = [UNKNOWN if m is None else metric_text(m) for m in (a, b)]
        yield ComparedRow("Numbers", known.label, texts[0], texts[1], change, known.why)


def _signed(value: float) -> str:
    text = significant(abs(value), 3)
    return f"{MINUS if value < 0 else '+'}{text}"


def _reason(left_out: InputRecord) -> str:
    return f"{left_out.file}: {left_out.reason}"
