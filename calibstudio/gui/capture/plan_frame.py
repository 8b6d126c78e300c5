"""The frame around whatever makes a plan: content, pre-flight at the right, buttons at the foot."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.plan import CapturePlan, Estimate
from calibstudio.gui.capture.plan_file import save_plan_as
from calibstudio.gui.capture.preflight_panel import PreflightPanel
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, set_tone

Sizes = tuple[int, ...]


class PlanFrame(QWidget):
    """What wizards and the plan from lights share. Subclasses call `build` once.

    Signals
    -------
    start_wanted(CapturePlan)
        Start was pressed.
    closed()
        The operator goes back to the tiles.
    """

    name = ""
    """Of its tile."""
    start_wanted = Signal(object)
    closed = Signal()

    def __init__(
        self,
        context: GuiContext,
        title: str,
        splitter: str,
        wide: Sizes,
        compact: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        """``splitter`` names its widths, ``wide`` and ``compact`` are those of a new window."""
        super().__init__(parent)
        self.context, self.theme, self.title = context, context.theme, title
        self._wide, self._narrow = wide, compact
        self._compact = False
        self._may_start = True
        self.preflight = PreflightPanel(context)
        self.back = Button(self.theme, "Close", icon="chevron-left", size=ButtonSize.LARGE)
        self.save = Button(
            self.theme,
            "Save as file…",
            ButtonKind.FLAT,
            icon="save",
            size=ButtonSize.LARGE,
            tip="A file that calibstudio run carries out without a screen",
        )
        self.primary = Button(
            self.theme,
            "Start",
            ButtonKind.PRIMARY,
            size=ButtonSize.LARGE,
            icon_after=True,
            tip="Ctrl+Enter",
        )
        self._hint = ElidedLabel("", "secondary")
        self._splitter = Splitter(splitter, sizes=wide)

    def build(self, content: QWidget, *, left: QWidget | None = None, margin: int = 32) -> None:
        """Put the content between what is at its left and the pre-flight, over the buttons."""
        centre = ground("bg")
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(content, 1)
        column.addWidget(self._make_foot(margin))
        for panel in (left, centre, self.preflight):
            if panel is not None:
                self._splitter.addWidget(panel)
        self._splitter.setStretchFactor(self._splitter.indexOf(centre), 1)
        self.preflight.setMinimumWidth(300)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._splitter)
        self.back.clicked.connect(self.go_back)
        self.primary.clicked.connect(self.go_on)
        self.save.clicked.connect(self.save_as_file)
        self.preflight.checked.connect(self._on_checked)
        self.preflight.looked.connect(self._on_looked)

    def _make_foot(self, margin: int) -> QWidget:
        foot = ground("bg", border="top")
        row = QHBoxLayout(foot)
        row.setContentsMargins(margin, 12, margin, 12)
        row.setSpacing(16)
        row.addWidget(self.back)
        row.addWidget(self._hint, 1)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.save)
        row.addWidget(self.primary)
        return foot

    # What subclasses say

    @property
    @abstractmethod
    def plan(self) -> CapturePlan | None:
        """What would be taken now; None while the answers do not make a plan."""

    @abstractmethod
    def estimate(self) -> Estimate:
        """What the plan costs; asked only where there is one."""

    @abstractmethod
    def enable(self) -> None:
        """Enable what is possible now, and say why the rest is not."""

    # Buttons

    @Slot()
    def go_on(self) -> None:
        """Start, where it may start."""
        if self.primary.isEnabled():
            self.begin()

    def begin(self) -> None:
        """Carry out the plan."""
        plan = self.plan
        if plan is not None:
            self.preflight.end()
            self.start_wanted.emit(plan)

    @Slot()
    def go_back(self) -> None:
        """Go back to the tiles."""
        self.preflight.end()
        self.closed.emit()

    @Slot()
    def save_as_file(self) -> None:
        """Write the plan as a file of `calibstudio run`."""
        plan = self.plan
        if plan is not None:
            save_plan_as(self.context, self, plan)

    def say(self, words: str, *, tip: str = "", bad: bool = False) -> None:
        """Say beside the buttons what comes next, or why it does not."""
        self._hint.setText(words)
        self._hint.set_tip(tip)
        set_tone(self._hint, "bad" if bad else "")

    # Pre-flight

    @Slot(bool)
    def _on_checked(self, may_start: bool) -> None:
        self._may_start = may_start
        self.enable()

    @Slot()
    def _on_looked(self) -> None:
        """Time has passed since the last answer: say anew how long it takes from now."""
        if self.plan is not None:
            self.preflight.show_time(self.estimate())

    # The window

    def set_compact(self, compact: bool) -> None:
        """Less room: narrower sides."""
        self._compact = compact
        self.save.setText("Save…" if compact else "Save as file…")
        self._splitter.suggest(self._narrow if compact else self._wide)

    def close_down(self) -> None:
        """Stop what goes on: the page closes."""
        self.preflight.end()
