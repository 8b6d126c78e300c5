"""Tables of records: sorted by value, unknown last, the selection survives new records."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import number
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.table import (
    RECORD_ROLE,
    TAG_ROLE,
    TONE_ROLE,
    VALUE_ROLE,
    Column,
    RecordTableModel,
    TableView,
    verdict_column,
)


@dataclass(frozen=True)
class Row:
    """A frame."""

    name: str
    level: float | None
    verdict: Verdict | None = Verdict.GOOD


COLUMNS = (
    Column[Row]("File", lambda r: r.name, tooltip=lambda r: f"<{r.name}>"),
    Column[Row](
        "Level [ADU]",
        lambda r: r.level,
        lambda v: "" if v is None else number(v, 1),
        align="right",
        tone=lambda r: "bad" if r.level is not None and r.level > 100 else None,
    ),
    verdict_column("Verdict", lambda r: r.verdict),
)
ROWS = (
    Row("b", 10.0, Verdict.BAD),
    Row("A", None, None),
    Row("c", 9.0, Verdict.GOOD),
    Row("a", 120.0, Verdict.WARN),
)


@pytest.fixture
def model(qapp: object) -> RecordTableModel[Row]:
    return RecordTableModel(COLUMNS, ROWS, key=lambda r: r.name)


def names(model: RecordTableModel[Row]) -> str:
    return "".join(r.name for r in model.records)


def test_the_model_keeps_the_rules_of_qt(model: RecordTableModel[Row]) -> None:
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)

    model.sort(1)
    model.append(Row("d", 3.0))
    model.set_records(ROWS[:2])

    assert tester.model() is model


def test_numbers_are_sorted_by_value_and_unknown_comes_last_both_ways(
    model: RecordTableModel[Row],
) -> None:
    model.sort(1, Qt.SortOrder.AscendingOrder)
    assert names(model) == "cbaA"

    model.sort(1, Qt.SortOrder.DescendingOrder)
    assert names(model) == "abcA"


def test_verdicts_are_sorted_by_severity(model: RecordTableModel[Row]) -> None:
    model.sort(2, Qt.SortOrder.DescendingOrder)

    assert names(model) == "bacA"


def test_minus_one_goes_back_to_the_order_given(model: RecordTableModel[Row]) -> None:
    model.sort(0)
    model.sort(-1)

    assert names(model) == "bAca"


def test_a_cell_says_text_value_tone_tag_and_record(model: RecordTableModel[Row]) -> None:
    level, verdict = model.index(3, 1), model.index(3, 2)

    assert level.data() == "120.0"
    assert level.data(VALUE_ROLE) == 120.0
    assert level.data(TONE_ROLE) == "bad"
    assert level.data(Qt.ItemDataRole.TextAlignmentRole) & int(Qt.AlignmentFlag.AlignRight.value)
    assert verdict.data(TAG_ROLE) == ("warn", "WARN")
    assert verdict.data(RECORD_ROLE) is ROWS[3]
    assert model.index(1, 2).data(TAG_ROLE) is None
    assert level.data(Qt.ItemDataRole.AccessibleTextRole) == "Level [ADU]: 120.0"


def test_a_file_name_that_looks_like_html_is_shown_as_it_is(model: RecordTableModel[Row]) -> None:
    tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)

    assert tip == "&lt;b&gt;"


def test_the_selection_follows_its_records_when_they_are_sorted_or_come_anew(
    qtbot: QtBot, theme: ThemeState, model: RecordTableModel[Row]
) -> None:
    view = TableView(theme, model, name="frames", multiple=True)
    qtbot.addWidget(view)
    view.select_key("c")

    view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [r.name for r in view.selected] == ["c"]

    model.set_records((Row("x", 1.0), *ROWS))
    assert [r.name for r in view.selected] == ["c"]


def test_a_record_is_selected_whatever_keys_are_held(
    qtbot: QtBot, theme: ThemeState, model: RecordTableModel[Row]
) -> None:
    view = TableView(theme, model, name="frames", multiple=True)
    qtbot.addWidget(view)
    view.show()
    qtbot.keyPress(view, Qt.Key.Key_Control, Qt.KeyboardModifier.ControlModifier)
    try:
        view.select_key("c")
        assert [r.name for r in view.selected] == ["c"]
    finally:
        qtbot.keyRelease(view, Qt.Key.Key_Control)


def test_selecting_says_the_records(
    qtbot: QtBot, theme: ThemeState, model: RecordTableModel[Row]
) -> None:
    view = TableView(theme, model, name="frames")
    qtbot.addWidget(view)

    with qtbot.waitSignal(view.selection_changed) as waited:
        view.selectRow(2)

    assert [r.name for r in waited.args[0]] == ["c"]


def test_the_heights_are_those_of_the_look_and_of_touch(
    qtbot: QtBot, theme: ThemeState, model: RecordTableModel[Row]
) -> None:
    view = TableView(theme, model, name="frames")
    qtbot.addWidget(view)
    view.show()
    assert (view.rowHeight(0), view.horizontalHeader().height()) == (28, 30)

    theme.set_touch(True)

    assert view.rowHeight(0) == 44


def test_a_hundred_thousand_rows_sort_without_a_proxy(qtbot: QtBot, theme: ThemeState) -> None:
    rows = [Row(f"frame {i}", float(i * 7919 % 100_003)) for i in range(100_000)]
    model = RecordTableModel(COLUMNS, rows, key=lambda r: r.name)
    view = TableView(theme, model, name="frames")
    qtbot.addWidget(view)
    view.show()

    view.sortByColumn(1, Qt.SortOrder.DescendingOrder)

    assert model.record(0).level == max(r.level or 0 for r in rows)
    assert isinstance(model, QAbstractItemModel)


def test_columns_that_may_go_leave_room_for_the_others_and_come_back(
    qtbot: QtBot, theme: ThemeState
) -> None:
    columns = (
        Column[Row]("File", lambda r: r.name, width=150),
        Column[Row]("Level [ADU]", lambda r: r.level, align="right", width=100, goes=1),
        Column[Row]("Reason", lambda r: r.name, width=120, least=80),
        Column[Row]("Camera", lambda r: r.name, width=160, goes=2),
    )
    view = TableView(theme, RecordTableModel(columns, ROWS, key=lambda r: r.name), name="frames")
    qtbot.addWidget(view)
    view.show()

    def widths(width: int) -> list[int]:
        view.resize(width, 200)
        qtbot.waitUntil(lambda: view.horizontalScrollBar().maximum() == 0, timeout=1000)
        return [0 if view.isColumnHidden(i) else view.columnWidth(i) for i in range(4)]

    room = view.width() - view.viewport().width()
    assert widths(600 + room) == [150, 100, 120, 230]
    assert widths(460 + room) == [150, 0, 120, 190]
    assert widths(300 + room) == [150, 0, 150, 0]
    assert widths(600 + room) == [150, 100, 120, 230]


def test_records_are_renewed_in_place_and_the_order_stays(model: RecordTableModel[Row]) -> None:
    model.sort(1)
    changed: list[tuple[int, int]] = []
    model.dataChanged.connect(lambda a, b: changed.append((a.row(), b.row())))

    model.update_records([Row("b", 500.0), Row("unknown", 1.0)])

    assert names(model) == "cbaA"
    assert model.record(1).level == 500.0 and changed == [(1, 1)]
    model.sort(1)
    assert names(model) == "cabA"


def test_names_of_files_without_room_are_cut_where_they_are_alike(
    qtbot: QtBot, theme: ThemeState
) -> None:
    column = Column[Row]("File", lambda r: r.name, width=120, cut=Qt.TextElideMode.ElideMiddle)
    names = [f"dark_60s_g100_-10C_20260417T23{n:04d}_{n:03d}" for n in (1, 2)]
    model = RecordTableModel((column,), [Row(name, 1.0) for name in names], key=lambda r: r.name)
    view = TableView(theme, model, name="frames")
    qtbot.addWidget(view)
    view.resize(130, 200)
    view.show()

    first, second = (view.viewport().grab(view.visualRect(model.index(r, 0))) for r in (0, 1))

    assert first.toImage() != second.toImage()
