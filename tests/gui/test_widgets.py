"""Small widgets: toasts, cards, banners, trees, facts, splitters, the text cursor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QStandardItem, QStandardItemModel, QTextDocument
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.quality import Finding, Verdict
from calibstudio.gui.actions import ACTIONS
from calibstudio.gui.caret import Caret
from calibstudio.gui.context import GuiContext
from calibstudio.gui.help_pictures import HelpBrowser, help_picture
from calibstudio.gui.help_view import COLUMN, PAGES, HelpView, page_text
from calibstudio.gui.icons import STATUS_ICONS, icon_pixmap
from calibstudio.gui.jobs import panel
from calibstudio.gui.resources import resource
from calibstudio.gui.theme import THEMES, ThemeState
from calibstudio.gui.toasts import Toasts
from calibstudio.gui.widgets import toast as toast_module
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.panels import EmptyState, KeyValueGrid
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.toast import ToastHost
from calibstudio.gui.widgets.tree import CHEVRON, LEFT, TreeView
from calibstudio.gui.widgets.verdict import VerdictCard, VerdictTag

from .conftest import pixels


@pytest.fixture
def window(qtbot: QtBot, theme: ThemeState) -> QWidget:
    made = QWidget()
    made.resize(900, 600)
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_toast_that_comes_under_a_resting_mouse_goes_all_the_same(
    qtbot: QtBot, window: QWidget, theme: ThemeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toast_module, "SHOWN_MS", 30)
    toasts = Toasts()
    host = ToastHost(theme, toasts, window)
    toasts.say("Six masters imported.", "good")
    at = QPointF(1.0, 1.0)

    QApplication.sendEvent(host.shown[0], QEnterEvent(at, at, at))

    qtbot.waitUntil(lambda: not host.shown, timeout=5000)


def test_a_toast_goes_by_itself_and_an_error_stays(
    qtbot: QtBot, theme: ThemeState, window: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toast_module, "SHOWN_MS", 30)
    toasts = Toasts()
    host = ToastHost(theme, toasts, window)

    toasts.say("Six masters imported.", "good")
    toasts.say("Camera stopped answering.", "bad")
    assert len(host.shown) == 2

    qtbot.waitUntil(lambda: len(host.shown) == 1)
    assert host.shown[0].said.text == "Camera stopped answering."


def test_the_same_toast_is_not_piled_up(theme: ThemeState, window: QWidget) -> None:
    toasts = Toasts()
    host = ToastHost(theme, toasts, window)

    for _ in range(5):
        toasts.say("Camera stopped answering.", "bad")
    for i in range(5):
        toasts.say(f"Event {i}")

    assert len(host.shown) == toast_module.MOST
    assert host.shown[0].said.kind == "bad"


def test_a_toast_never_takes_the_focus(qtbot: QtBot, theme: ThemeState, window: QWidget) -> None:
    field = QLineEdit(window)
    field.show()
    window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    toasts = Toasts()
    host = ToastHost(theme, toasts, window)
    done: list[int] = []

    toasts.say("Imported.", action="Show", on_action=lambda: done.append(1))
    button = next(b for b in host.findChildren(Button) if b.text() == "Show")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    assert done == [1]
    assert host.shown == ()


def test_a_verdict_card_shows_names_of_files_as_they_are(qtbot: QtBot, theme: ThemeState) -> None:
    card = VerdictCard(theme, Finding(Verdict.BAD, "<b>x</b>", "in <script>.fits", "a & b", "c"))
    qtbot.addWidget(card)

    texts = " ".join(w.text() for w in card.findChildren(QLabel))

    assert "&lt;b&gt;x&lt;/b&gt;" in texts
    assert "&lt;script&gt;" in texts
    assert "Likely cause:" in texts
    assert "Cure:" in texts
    assert card.accessibleName() == "BAD: <b>x</b>"


def test_a_verdict_card_has_two_buttons_at_most(qtbot: QtBot, theme: ThemeState) -> None:
    done: list[str] = []
    actions = [(name, lambda name=name: done.append(name)) for name in ("One", "Two", "Three")]
    card = VerdictCard(theme, Finding(Verdict.WARN, "t", "w"), actions)
    qtbot.addWidget(card)

    buttons = card.findChildren(Button)
    assert [b.text() for b in buttons] == ["One", "Two"]
    qtbot.mouseClick(buttons[1], Qt.MouseButton.LeftButton)

    assert done == ["Two"]


def test_the_three_verdicts_differ_in_form_in_night(qtbot: QtBot, theme: ThemeState) -> None:
    theme.set_theme("night")
    looks = {}
    for kind in ("good", "warn", "bad"):
        tag = VerdictTag(theme, kind, "SAME")
        qtbot.addWidget(tag)
        rgb = pixels(tag)
        looks[kind] = (float((rgb[..., 0] > 180).mean()), int(rgb[10, 0, 0]))

    assert looks["bad"][0] > 0.5  # a filled badge
    assert looks["warn"][1] > 150  # an edge
    assert looks["good"][1] < 60  # neither
    assert looks["good"][0] < 0.3


def test_a_banner_says_when_it_was_closed(qtbot: QtBot, theme: ThemeState) -> None:
    banner = Banner(theme, "warn", "Head.", "Text.", action="Do", on_action=lambda: None)
    qtbot.addWidget(banner)
    banner.show()
    close = next(b for b in banner.findChildren(Button) if b.toolTip() == "Close this message")

    with qtbot.waitSignal(banner.closed):
        qtbot.mouseClick(close, Qt.MouseButton.LeftButton)

    assert not banner.isVisible()
    assert banner.sizeHint().height() == 40


def test_long_text_elides_and_is_whole_in_its_tooltip(qtbot: QtBot, theme: ThemeState) -> None:
    made = ElidedLabel("a very long name of a file that has no room here.fits")
    qtbot.addWidget(made)
    made.show()

    made.resize(80, 20)
    assert made.toolTip() == "a very long name of a file that has no room here.fits"

    made.resize(900, 20)
    assert made.toolTip() == ""
    made.resize(24, 20)
    made.setText("<b>bold</b>")
    assert made.toolTip() == "&lt;b&gt;bold&lt;/b&gt;"


def test_labels_show_plain_text(qtbot: QtBot, theme: ThemeState) -> None:
    assert label("<b>x</b>").textFormat() == Qt.TextFormat.PlainText
    with pytest.raises(ValueError, match="huge"):
        label("x", "huge")


def test_facts_keep_their_labels_when_only_values_change(qtbot: QtBot, theme: ThemeState) -> None:
    grid = KeyValueGrid([("Frames", "37"), ("Disk", "2 GB")])
    qtbot.addWidget(grid)
    before = grid.findChildren(ElidedLabel)

    grid.set_rows([("Frames", "38"), ("Disk", "2 GB")])

    assert grid.findChildren(ElidedLabel) == before
    assert [v.text() for v in before] == ["38", "2 GB"]
    assert before[0].accessibleName() == "Frames: 38"


def test_an_empty_state_offers_the_way_to_begin(qtbot: QtBot, theme: ThemeState) -> None:
    done: list[int] = []
    made = EmptyState(
        theme, "library", "No masters yet.", action="Import", on_action=lambda: done.append(1)
    )
    qtbot.addWidget(made)
    made.show()

    qtbot.mouseClick(made.button, Qt.MouseButton.LeftButton)

    assert done == [1]


def test_a_click_on_the_chevron_opens_a_branch_and_selects_nothing(
    qtbot: QtBot, theme: ThemeState
) -> None:
    model = QStandardItemModel()
    branch = QStandardItem("Dark")
    branch.appendRow(QStandardItem("Used"))
    model.appendRow(branch)
    tree = TreeView(theme, model, name="groups")
    qtbot.addWidget(tree)
    tree.resize(300, 200)
    tree.show()
    row = tree.visualRect(model.index(0, 0))

    chevron = QPoint(LEFT - 6 + CHEVRON // 2, row.center().y())
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=chevron)

    assert tree.isExpanded(model.index(0, 0))
    assert not tree.selectionModel().hasSelection()
    assert row.height() == 34
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=row.center())
    assert tree.selectionModel().hasSelection()


def test_a_splitter_remembers_its_sizes(qtbot: QtBot, theme: ThemeState) -> None:
    def made() -> Splitter:
        splitter = Splitter("live/side", sizes=(300, 100))
        splitter.addWidget(QWidget())
        splitter.addWidget(QWidget())
        splitter.resize(401, 100)
        qtbot.addWidget(splitter)
        splitter.show()
        return splitter

    first = made()
    assert first.sizes() == [300, 100]
    first.setSizes([150, 250])
    first.splitterMoved.emit(150, 1)
    qtbot.wait(450)  # its own pause before it writes

    assert made().sizes() == [150, 250]


def test_the_text_cursor_stands_where_the_next_letter_goes(qtbot: QtBot, theme: ThemeState) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    field = QLineEdit()
    QVBoxLayout(window).addWidget(field)
    caret = Caret(theme, window)
    window.show()
    window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(lambda: caret.is_shown)
    mark = next(w for w in field.findChildren(QWidget) if type(w).__name__ == "_Mark")
    before = mark.x()

    qtbot.keyClicks(field, "120")

    assert mark.x() > before + 15
    field.clearFocus()
    qtbot.waitUntil(lambda: not caret.is_shown)


def test_every_icon_is_drawn_in_one_colour_at_any_ratio(qapp: object) -> None:
    folder = resource("icons")
    names = sorted(p.stem for p in Path(folder).glob("*.svg"))

    assert len(names) > 100
    for name in names:
        picture = icon_pixmap(name, "#FF0000", 24, 2.0)
        assert picture.width() == 48
        rgba = picture.toImage()
        colours = {rgba.pixelColor(x, y).name() for x in range(48) for y in range(48)}
        reds = {c for c in colours if c.endswith("0000")}
        assert len(reds) > 1, name  # something is drawn
        assert reds == colours, name  # and nothing in another colour


def test_every_icon_that_the_program_names_is_there() -> None:
    named = {row.icon for row in ACTIONS if row.icon} | set(STATUS_ICONS.values())

    for name in named:
        assert resource(f"icons/{name}.svg").is_file()
    assert set(panel._SHAPES.values()) <= set(STATUS_ICONS)


def test_every_help_page_has_a_title_and_links_that_lead_somewhere() -> None:
    pages = {page for page, _ in PAGES}
    assert {path.stem for path in resource("help").glob("*.md")} <= pages
    for page in pages:
        text = page_text(page)
        assert text.startswith("# ")
        assert "There is no page about this yet" not in text
        for part in text.split("](")[1:]:
            target = part.split(")")[0]
            if target.startswith("pictures/"):
                assert resource(f"help/{target}").is_file(), (page, target)
                continue
            assert target.startswith("http") or target.removesuffix(".md") in pages, (page, target)


def test_icons_and_licences_agree() -> None:
    text = resource("LICENSES.md").read_text(encoding="utf-8")

    for name in ("Inter-Regular.ttf", "Tabler Icons", "SIL Open Font License", "MIT License"):
        assert name in text
    listed = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    icons = {p.stem for p in resource("icons").glob("*.svg")}
    assert {name for name in listed if "/" not in name} <= icons


def test_a_theme_has_every_token(theme: ThemeState) -> None:
    for name in THEMES:
        theme.set_theme(name)
        window = QWidget()
        assert np.isfinite(window.palette().window().color().redF())


def test_pictures_of_the_help_are_as_wide_as_the_text_and_red_in_night(theme: ThemeState) -> None:
    picture = help_picture("live-dark.png", theme.tokens, 640)
    assert picture.width() == 640

    theme.set_theme("night")
    red = help_picture("live-dark.png", theme.tokens, 640)
    colors = {red.pixelColor(x, y).getRgb()[:3] for x in range(0, 640, 7) for y in range(0, 350, 7)}
    assert len(colors) > 20
    assert all(g == 0 and b == 0 and r <= 204 for r, g, b in colors)

    assert help_picture("../live.md", theme.tokens, 640).isNull()
    assert help_picture("absent.png", theme.tokens, 640).isNull()


def test_lines_of_the_help_are_short_enough_to_read(qtbot: QtBot, context: GuiContext) -> None:
    view = HelpView(context)
    qtbot.addWidget(view)
    view.resize(1840, 900)
    view.show()
    view.show_page("live")

    browser = view.findChild(HelpBrowser)
    assert browser is not None
    layout = browser.document().documentLayout()
    block = browser.document().begin()
    while block.isValid():
        assert layout.blockBoundingRect(block).width() <= COLUMN
        block = block.next()


def test_a_card_keeps_the_narrow_space_before_a_unit(qtbot: QtBot, theme: ThemeState) -> None:
    finding = Finding(Verdict.BAD, "light leak", "Gradient 23.5\u202fADU.", "", "Cover\u202fit.")
    card = VerdictCard(theme, finding)
    qtbot.addWidget(card)

    said = []
    for words in card.findChildren(QLabel):
        document = QTextDocument()
        document.setHtml(words.text())
        said.append(document.toPlainText())
    assert "Gradient 23.5\u202fADU." in said
    assert any("Cure: cover\u202fit." in text for text in said)
