"""The style sheet of the application, made from the tokens.

Only what Qt draws itself is styled here; our own small widgets paint themselves from the same
tokens. Everything that Fusion would draw with its own whites and greys is given a colour, since
one grey pixel is a lamp in the night theme.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import uuid
from functools import cache
from pathlib import Path
from string import Template

from calibstudio.gui.icons import svg
from calibstudio.gui.theme import Sizes, Tokens
from calibstudio.services.settings import cache_folder


@cache
def _spare_folder() -> Path:
    """A folder for this process alone, where the cache may not be written; removed at exit."""
    folder = Path(tempfile.mkdtemp(prefix="calibstudio-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(name: str, content: bytes) -> str:
    """Return the path of a picture for ``url()``: style sheets want files.

    They are kept in the cache under a name told by their content, so that a start finds them and
    versions do not meddle with each other.
    """
    name = f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.svg"
    path = cache_folder() / "look" / name
    try:
        if path.read_bytes() == content:
            return path.as_posix()
    except OSError:
        pass  # not there yet, or not readable: made anew
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        own.write_bytes(content)
        own.replace(path)
    except OSError:
        path = _spare_folder() / name
        path.write_bytes(content)
    return path.as_posix()


def _image(name: str, color: str, stroke: float | None = None) -> str:
    """Return the path of a tinted icon."""
    return _file(name, svg(name, color, stroke=stroke))


def _radio(edge: str, fill: str, dot: str, width: float = 1) -> str:
    """Return the path of a round indicator: a ring, its ground, and a dot (empty for none)."""
    middle = f'<circle cx="9" cy="9" r="4" fill="{dot}"/>' if dot else ""
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="0 0 18 18">'
        f'<circle cx="9" cy="9" r="{8.5 - (width - 1) / 2}" fill="{fill}" stroke="{edge}"'
        f' stroke-width="{width}"/>{middle}</svg>'
    )
    return _file("radio", drawn.encode())


def stylesheet(t: Tokens, sizes: Sizes) -> str:
    """Return the whole style sheet for these tokens and sizes."""
    values = {name: getattr(t, name) for name in t.__slots__}
    values |= {
        "control": sizes.control - 2,
        "tool": sizes.toolbar - 2,
        "primary_field": sizes.primary - 2,
        "row": sizes.table_row,
        "list": sizes.list_row,
        "head": sizes.table_header - 1,
        "w_medium": 500 + t.weight_shift,
        "w_strong": 600 + t.weight_shift,
        "primary_width": 2 if t.is_night else 1,
        "scroll": 16 if sizes.touch else 10,
        "down": _image("chevron-down", t.text2),
        "down_off": _image("chevron-down", t.disabled),
        "up": _image("chevron-up", t.text2),
        "up_off": _image("chevron-up", t.disabled),
        "right": _image("chevron-right", t.text2),
        "left": _image("chevron-left", t.text2),
        "check": _image("check", t.on_primary, 2.5),
        "check_off": _image("check", t.disabled, 2.5),
        "check_menu": _image("check", t.accent, 2),
        "radio": _radio(t.edge, t.bg, ""),
        "radio_hot": _radio(t.accent, t.bg, ""),
        "radio_focus": _radio(t.focus, t.bg, "", 2.5),
        "radio_on": _radio(t.accent, t.bg, t.accent, 1.5),
        "radio_on_focus": _radio(t.focus, t.bg, t.accent, 2.5),
        "radio_off": _radio(t.line, t.panel, ""),
        "radio_on_off": _radio(t.line, t.panel, t.disabled),
        "close": _image("close", t.text2),
        "folder": _image("folder", t.text2),
        "file": _image("file", t.text2),
        "home": _image("home", t.text2),
        "computer": _image("computer", t.text2),
        "go_up": _image("go-up", t.text2),
        "go_back": _image("go-back", t.text2),
        "go_forward": _image("go-forward", t.text2),
        "folder_plus": _image("folder-plus", t.text2),
        "list_icon": _image("list", t.text2),
        "table_icon": _image("table", t.text2),
        "drive": _image("disk", t.text2),
        "trash": _image("delete", t.text2),
        "info_icon": _image("status-info", t.info),
        "warn_icon": _image("status-warn", t.warn),
        "bad_icon": _image("status-bad", t.bad),
        "help_icon": _image("help", t.info),
    }
    return Template(_QSS + (_TOUCH if sizes.touch else "")).substitute(values)


_QSS = """
QLineEdit { lineedit-clear-button-icon: url($close); }
QFileDialog, QMessageBox, QFileDialog QWidget {
  titlebar-close-icon: url($close);
  filedialog-parent-directory-icon: url($go_up); filedialog-backward-icon: url($go_back);
  filedialog-start-icon: url($go_back); filedialog-end-icon: url($go_forward);
  filedialog-new-directory-icon: url($folder_plus); filedialog-listview-icon: url($list_icon);
  filedialog-detailedview-icon: url($table_icon); filedialog-contentsview-icon: url($list_icon);
  directory-icon: url($folder); directory-open-icon: url($folder);
  directory-closed-icon: url($folder); directory-link-icon: url($folder); file-icon: url($file);
  file-link-icon: url($file); home-icon: url($home); computer-icon: url($computer);
  desktop-icon: url($computer); harddisk-icon: url($drive); network-icon: url($drive);
  trash-icon: url($trash); backward-icon: url($go_back); forward-icon: url($go_forward);
  leftarrow-icon: url($go_back); rightarrow-icon: url($go_forward); uparrow-icon: url($go_up);
  downarrow-icon: url($down); messagebox-information-icon: url($info_icon);
  messagebox-warning-icon: url($warn_icon); messagebox-critical-icon: url($bad_icon);
  messagebox-question-icon: url($help_icon); dialogbuttonbox-buttons-have-icons: 0;
}
QFileDialog { border: 1px solid $line2; }
QFileDialog QTreeView::item { height: 28px; }
QMainWindow, QDialog, QFileDialog, QMessageBox { background: $panel; }
QToolTip {
  background: $card; color: $text; border: 1px solid $line2; padding: 4px 8px; font-size: 13px;
}

QWidget[ground="bg"] { background: $bg; }
QWidget[ground="panel"] { background: $panel; }
QWidget[ground="card"] { background: $card; }
QWidget[ground="plot"] { background: $plot; }
QWidget[border~="left"] { border-left: 1px solid $line; }
QWidget[border~="right"] { border-right: 1px solid $line; }
QWidget[border~="top"] { border-top: 1px solid $line; }
QWidget[border~="bottom"] { border-bottom: 1px solid $line; }
QWidget[border="strong"] { border: 1px solid $line2; border-radius: 6px; }
QWidget[border="all"] { border: 1px solid $line; border-radius: 6px; }

QLabel { background: transparent; border: none; }
QLabel[role="caption"] { font-size: ${caption_px}px; color: $text3; }
QLabel[role="label"] { font-size: 13px; color: $text2; }
QLabel[role="small"] { font-size: 13px; color: $text2; }
QLabel[role="note"] { font-size: 13px; color: $text3; }
QLabel[role="body"] { font-size: 14px; }
QLabel[role="secondary"] { font-size: 14px; color: $text2; }
QLabel[role="medium"] { font-size: 14px; font-weight: $w_medium; }
QLabel[role="heading"] { font-size: 14px; font-weight: $w_strong; }
QLabel[role="subheading"] { font-size: 13px; font-weight: $w_strong; color: $text2; }
QLabel[role="title"] { font-size: 18px; font-weight: $w_strong; }
QLabel[role="value"] { font-size: 18px; font-weight: $w_strong; }
QLabel[role="question"] { font-size: 20px; font-weight: $w_strong; }
QLabel[role="count"] { font-size: 28px; font-weight: $w_strong; }
QLabel[tone="good"] { color: $good; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="bad"] { color: $bad; }
QLabel[tone="info"] { color: $info; }
QLabel[tone="running"], QLabel[tone="accent"] { color: $accent; }
QLabel[tone="text"] { color: $text; }
QLabel[tone="text2"] { color: $text2; }
QLabel[tone="text3"] { color: $text3; }

QFrame[frameShape="4"], QFrame[frameShape="5"] { border: none; background: $line; color: $line; }
QFrame[frameShape="4"] { max-height: 1px; min-height: 1px; }
QFrame[frameShape="5"] { max-width: 1px; min-width: 1px; }

QPushButton, QDialogButtonBox QPushButton {
  min-height: ${control}px; padding: 0 12px; border: 1px solid $line2; border-radius: 4px;
  background: $ctl; color: $text; font-weight: $w_medium;
}
QPushButton:hover { background: $ctl_hover; }
QPushButton:pressed, QPushButton:checked { background: $selection; border-color: $accent; }
QPushButton:default { background: $primary; border: ${primary_width}px solid $primary_edge;
  color: $on_primary; font-weight: $w_strong; }
QPushButton:default:hover { background: $primary_hover; }
QPushButton:focus { border: 2px solid $focus; padding: 0 11px; }
QPushButton:disabled { background: transparent; border: 1px solid $line; color: $disabled; }
QToolButton {
  border: 1px solid transparent; border-radius: 4px; background: transparent; padding: 3px;
  min-height: 20px; min-width: 20px; color: $text2;
}
QToolButton:hover { background: $ctl_hover; }
QToolButton:pressed, QToolButton:checked { background: $selection; border-color: $accent; }
QToolButton:focus { border: 2px solid $focus; padding: 2px; }
QToolButton::menu-indicator { image: none; }
QToolButton::menu-button { border: none; }
QToolButton#qt_toolbar_ext_button { background: $ctl; }

QLineEdit, QAbstractSpinBox, QComboBox, QPlainTextEdit, QTextEdit {
  background: $bg; color: $text; border: 1px solid $edge; border-radius: 4px; padding: 0 8px;
}
QLineEdit, QAbstractSpinBox, QComboBox { min-height: ${control}px; }
QAbstractSpinBox[large="true"] { min-height: ${primary_field}px; }
QLineEdit[compact="true"] { min-height: ${tool}px; max-height: ${tool}px; font-size: 13px; }
QPlainTextEdit, QTextEdit { padding: 4px 6px; }
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus, QComboBox:on,
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $focus; padding: 0 7px; }
QPlainTextEdit:focus, QTextEdit:focus { padding: 3px 5px; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {
  border-color: $line; color: $disabled; background: $panel;
}
QLineEdit[bad="true"], QAbstractSpinBox[bad="true"] { border: 2px solid $bad; padding: 0 7px; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {
  border: none; background: transparent; padding: 0; min-height: 0;
}
QLineEdit > QToolButton { border: none; background: transparent; padding: 0; min-width: 0;
  min-height: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
  subcontrol-origin: padding; width: 26px; background: transparent; border: none;
  border-left: 1px solid $line2;
}
QAbstractSpinBox::up-button { subcontrol-position: top right; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $ctl_hover; }
QAbstractSpinBox::up-arrow { image: url($up); width: 14px; height: 14px; }
QAbstractSpinBox::down-arrow { image: url($down); width: 14px; height: 14px; }
QAbstractSpinBox::up-arrow:disabled, QAbstractSpinBox::up-arrow:off { image: url($up_off); }
QAbstractSpinBox::down-arrow:disabled, QAbstractSpinBox::down-arrow:off { image: url($down_off); }
QComboBox { padding: 0 2px 0 8px; }
QComboBox:focus, QComboBox:on { padding: 0 1px 0 7px; }
QComboBox::drop-down { subcontrol-origin: padding; subcontrol-position: center right;
  width: 24px; border: none; background: transparent; }
QComboBox::down-arrow { image: url($down); width: 16px; height: 16px; }
QComboBox::down-arrow:disabled { image: url($down_off); }
QComboBox QAbstractItemView, QAbstractItemView#qt_completer {
  background: $card; border: 1px solid $line2; padding: 4px 0; color: $text;
}
QComboBox QAbstractItemView::item { min-height: ${control}px; padding: 0 10px; border: none; }
QComboBox QAbstractItemView::item:selected, QComboBox QAbstractItemView::item:hover {
  background: $selection; color: $text; }
QComboBoxPrivateContainer { background: $card; border: 1px solid $line2; }
QComboBoxPrivateScroller { background: $card; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; min-height: 24px; }
QCheckBox::indicator, QAbstractItemView::indicator, QGroupBox::indicator {
  width: 16px; height: 16px; border: 1px solid $edge; background: $bg;
}
QCheckBox::indicator, QAbstractItemView::indicator, QGroupBox::indicator { border-radius: 3px; }
QCheckBox::indicator:hover { border-color: $accent; }
QRadioButton::indicator { width: 18px; height: 18px; border: none; image: url($radio); }
QRadioButton::indicator:hover { image: url($radio_hot); }
QRadioButton::indicator:focus { image: url($radio_focus); }
QRadioButton::indicator:checked { image: url($radio_on); }
QRadioButton::indicator:checked:focus { image: url($radio_on_focus); }
QRadioButton::indicator:disabled { image: url($radio_off); }
QRadioButton::indicator:checked:disabled { image: url($radio_on_off); }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QGroupBox::indicator:checked {
  background: $primary; border-color: $primary_edge; image: url($check); }
QCheckBox::indicator:indeterminate { background: $selection; border-color: $primary_edge; }
QCheckBox::indicator:disabled { border-color: $line; }
QCheckBox::indicator:checked:disabled { background: $ctl; border-color: $line;
  image: url($check_off); }
QCheckBox:focus, QRadioButton:focus { color: $accent; }
QCheckBox::indicator:focus { border: 2px solid $focus; width: 14px; height: 14px; }

QSlider { min-height: 24px; background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $ctl_hover; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal { width: 16px; height: 16px; margin: -6px 0; border-radius: 8px;
  background: $text; border: none; }
QSlider::handle:horizontal:focus { border: 2px solid $focus; background: $panel; width: 12px;
  height: 12px; }
QSlider::groove:vertical { width: 4px; border-radius: 2px; background: $ctl_hover; }
QSlider::handle:vertical { width: 16px; height: 16px; margin: 0 -6px; border-radius: 8px;
  background: $text; border: none; }
QSlider::sub-page:horizontal:disabled { background: $line2; }
QSlider::handle:disabled { background: $disabled; }

QProgressBar { background: $ctl_hover; border: none; border-radius: 3px; min-height: 6px;
  max-height: 6px; text-align: center; color: transparent; }
QProgressBar::chunk { background: $bar; border-radius: 3px; }

QTabWidget::pane { border: none; border-top: 1px solid $line; background: transparent; }
QTabBar { background: transparent; qproperty-drawBase: 0; }
QTabBar::tab { background: $ctl; color: $text2; border: 1px solid $line2; border-right: none;
  padding: 0 12px; min-height: 26px; font-size: 13px; }
QTabBar::tab:first { border-top-left-radius: 4px; border-bottom-left-radius: 4px; }
QTabBar::tab:last { border-top-right-radius: 4px; border-bottom-right-radius: 4px;
  border-right: 1px solid $line2; }
QTabBar::tab:only-one { border-radius: 4px; border: 1px solid $line2; }
QTabBar::tab:selected { background: $selection; color: $text; font-weight: $w_medium; }
QTabBar::tab:focus { color: $accent; }
QTabBar::tab:disabled { color: $disabled; }
QTabBar QToolButton { background: $ctl; border: 1px solid $line2; }

QMenuBar { background: $panel; color: $text; }
QMenuBar::item { background: transparent; padding: 6px 10px; }
QMenuBar::item:selected { background: $selection; }
QMenu { background: $card; border: 1px solid $line2; padding: 6px 0; }
QMenu::item { padding: 0 28px 0 12px; min-height: 32px; height: 32px; color: $text;
  background: transparent; border: none; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $disabled; }
QMenu::icon { padding-left: 12px; }
QMenu::separator { height: 1px; background: $line; margin: 6px 0; }
QMenu::indicator { width: 16px; height: 16px; margin-left: 8px; }
QMenu::indicator:checked { image: url($check_menu); }
QMenu::right-arrow { image: url($right); width: 14px; height: 14px; margin-right: 8px; }
QMenu::scroller { background: $card; }

QAbstractScrollArea { background: $panel; border: none; }
QPlainTextEdit, QTextEdit { background: $bg; border: 1px solid $edge; }
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $focus; }
QAbstractScrollArea::corner { background: $panel; border: none; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: ${scroll}px; }
QScrollBar:horizontal { height: ${scroll}px; }
QScrollBar::handle { background: $line2; border-radius: 4px; border: none; margin: 1px; }
QScrollBar::handle:hover { background: $edge; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: none;
  background: transparent; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QAbstractItemView { background: $panel; color: $text; border: none; outline: none;
  selection-background-color: $selection; selection-color: $text; alternate-background-color:
  $panel; gridline-color: $line; }
QAbstractItemView::item { border: none; padding: 0 8px; }
QAbstractItemView::item:selected { background: $selection; color: $text; }
QAbstractItemView::item:hover { background: $ctl; }
QAbstractItemView::item:selected:hover { background: $selection; }
QListView::item { min-height: ${list}px; }
QTreeView::branch { background: transparent; border-image: none; }
QTreeView::branch:has-children:closed { image: url($right); }
QTreeView::branch:has-children:open { image: url($down); }
QHeaderView { background: $panel; border: none; }
QHeaderView::section { background: $panel; color: $text3; border: none;
  border-bottom: 1px solid $line2; padding: 0 10px; height: ${head}px;
  font-size: ${caption_px}px; font-weight: $w_medium; }
QHeaderView::section:hover { color: $text; }
QHeaderView::down-arrow { image: url($down); width: 14px; height: 14px; right: 6px; }
QHeaderView::up-arrow { image: url($up); width: 14px; height: 14px; right: 6px; }
QTableCornerButton::section { background: $panel; border: none;
  border-bottom: 1px solid $line2; }

QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QSplitter::handle:hover { background: $accent; }
QGroupBox { border: 1px solid $line; border-radius: 6px; margin-top: 12px; padding: 12px; }
QGroupBox::title { subcontrol-origin: margin; left: 12px; padding: 0 4px; color: $text2; }
QStatusBar { background: $panel; color: $text2; border: none; }
QStatusBar::item { border: none; }
QSizeGrip { image: none; background: transparent; width: 12px; height: 12px; }
QRubberBand { background: $selection; border: 1px solid $accent; }
QToolBar { background: $panel; border: none; spacing: 8px; }
QDockWidget { titlebar-close-icon: url($close); titlebar-normal-icon: url($close); }
QDockWidget::title { background: $panel; padding: 6px; }
QCalendarWidget QWidget { background: $panel; alternate-background-color: $card; color: $text; }
QCalendarWidget QToolButton { background: $ctl; }
QTextBrowser { background: $bg; color: $text; border: none; padding: 16px 24px; }
QTextBrowser:focus { border: none; padding: 16px 24px; }
"""

_TOUCH = """
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 44px; height: ${control}px; }
QAbstractSpinBox::up-button { subcontrol-position: center right; }
QAbstractSpinBox::down-button { subcontrol-position: center right; position: relative;
  left: -45px; }
QAbstractSpinBox::up-arrow, QAbstractSpinBox::down-arrow { width: 20px; height: 20px; }
QCheckBox, QRadioButton, QSlider { min-height: 44px; }
QSlider::handle:horizontal { width: 28px; height: 28px; margin: -12px 0; border-radius: 14px; }
QMenu::item { min-height: 44px; height: 44px; }
QTabBar::tab { min-height: 42px; }
QToolButton { min-width: 36px; min-height: 36px; }
QLineEdit > QToolButton { min-width: 0; min-height: 0; }
QSplitter::handle:horizontal { width: 8px; }
QSplitter::handle:vertical { height: 8px; }
"""
