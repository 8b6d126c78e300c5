"""The queue of requests on the home of Capture: what waits, what became of it, and the policies."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.requests import HIGHEST_PRIORITY, Request, RequestState
from calibstudio.domain.wording import TIMES, count, number, temperature
from calibstudio.gui.capture.queue_state import PolicyLine, QueueSeen
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize, IconButton
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictTag

LOOKING = "Looking for requests…"
NOTHING = (
    "Nothing is asked for. A request says what is to be taken some time: by you here, by a script, "
    "or by a policy. The queue takes one after the other, the most urgent first."
)
NO_POLICIES = (
    "No policies: the library's folder has no policies.yaml. Help, Requests and nights, says what "
    "it may hold."
)
MOST_OVER = 5
"""Requests that are over, the newest, are shown so many."""
STATES = {
    RequestState.QUEUED: ("waiting", "Waits"),
    RequestState.RUNNING: ("running", "Running"),
    RequestState.DONE: ("good", "Done"),
    RequestState.ERROR: ("bad", "Failed"),
    RequestState.CANCELLED: ("info", "Cancelled"),
}
TAG_PX = 96


class QueuePanel(QWidget):
    """A list beside the recent sequences.

    Signals
    -------
    add_wanted(), run_wanted(), due_wanted()
        The form is to be opened; the queue carried out; policies that are due asked for.
    cancel_wanted(Request), give_back_wanted(Request)
        Of one row.
    priority_wanted(Request, int)
        It is to be more or less urgent.
    """

    add_wanted = Signal()
    run_wanted = Signal()
    due_wanted = Signal()
    cancel_wanted = Signal(object)
    give_back_wanted = Signal(object)
    priority_wanted = Signal(object, int)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.rows: tuple[RequestRow, ...] = ()
        self.lines: tuple[PolicyRow, ...] = ()
        self.note = ElidedLabel("", "small", tone="text3")
        self.empty = label(LOOKING, "secondary", wrap=True)
        self.empty.setContentsMargins(16, 14, 16, 14)
        self.add = Button(theme, "Add…", icon="plus", size=ButtonSize.SMALL)
        self.run = Button(theme, "Run the queue", icon="play", size=ButtonSize.SMALL)
        self.run.setEnabled(False)
        self.due = Button(
            theme,
            "Ask for what is due",
            size=ButtonSize.SMALL,
            tip="Makes requests of what the policies need tonight; calibstudio nightly does it too",
        )
        self.policies_note = label("", "note", wrap=True)
        self._build()
        self.add.clicked.connect(self.add_wanted)
        self.run.clicked.connect(self.run_wanted)
        self.due.clicked.connect(self.due_wanted)

    def _build(self) -> None:
        frame = ground("panel", border="all")
        head = _row(label("Requests", "heading"), self.note, self.add, self.run, stretch=1)
        self._list, self._policies = QVBoxLayout(), QVBoxLayout()
        self._list.setSpacing(0)
        self._policies.setSpacing(0)
        foot = QWidget()
        foot.setProperty("border", "top")
        foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        foot.setLayout(
            _row(label("Policies", "subheading"), self.policies_note, self.due, stretch=1)
        )
        self._foot = foot
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(1, 1, 1, 1)
        inner.setSpacing(0)
        inner.addLayout(head)
        inner.addWidget(self.empty)
        inner.addLayout(self._list)
        inner.addWidget(foot)
        inner.addLayout(self._policies)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(frame)
        column.addStretch(1)

    @Slot(object)
    def show_queue(self, seen: QueueSeen) -> None:
        """Show what waits, then what is over, the newest first."""
        over = sorted(
            (r for r in seen.requests if not r.state.is_open),
            key=lambda r: r.changed_utc,
            reverse=True,
        )
        shown = [*(r for r in seen.requests if r.state.is_open), *over[:MOST_OVER]]
        if [row.request for row in self.rows] != shown:
            self._show_rows(shown)
        self.empty.setText(NOTHING)
        self.empty.setVisible(not shown)
        self.run.setEnabled(seen.waiting > 0)
        words = count(seen.waiting, "request")
        self.run.setToolTip(f"Takes {words}, the most urgent first, then builds the masters")
        parts = [f"{number(seen.waiting)} {'waits' if seen.waiting == 1 else 'wait'}"]
        if len(over) > MOST_OVER:
            parts.append(f"the newest {MOST_OVER} of {number(len(over))} that are over")
        self.note.setText(" · ".join(parts) if shown else "")
        self._show_policies(seen)

    def _show_rows(self, shown: list[Request]) -> None:
        _clear(self._list, self.rows)
        rows = []
        for request in shown:
            row = RequestRow(self._theme, request)
            row.cancel_wanted.connect(self.cancel_wanted)
            row.give_back_wanted.connect(self.give_back_wanted)
            row.priority_wanted.connect(self.priority_wanted)
            self._list.addWidget(row)
            rows.append(row)
        self.rows = tuple(rows)

    def _show_policies(self, seen: QueueSeen) -> None:
        _clear(self._policies, self.lines)
        lines = [PolicyRow(line) for line in seen.policies]
        for line in lines:
            self._policies.addWidget(line)
        self.lines = tuple(lines)
        if seen.policies_problem:
            said = seen.policies_problem
        elif seen.policies:
            said = "What every night needs by itself."
        else:
            said = NO_POLICIES
        self.policies_note.setText(said)
        self.policies_note.setToolTip(str(seen.policies_file or ""))
        self.due.setVisible(bool(seen.policies))


class RequestRow(QWidget):
    """One request: its state, what it asks for, how urgent it is."""

    cancel_wanted = Signal(object)
    give_back_wanted = Signal(object)
    priority_wanted = Signal(object, int)

    def __init__(self, theme: ThemeState, request: Request) -> None:
        super().__init__()
        self.request = request
        self.setMinimumHeight(48)
        self.setProperty("border", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        kind, word = STATES[request.state]
        self.tag = VerdictTag(theme, kind, word)
        place = QWidget()
        place.setFixedWidth(TAG_PX)
        inner = QHBoxLayout(place)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.tag)
        inner.addStretch(1)
        title = f"{number(request.wish.frames)} {TIMES} {request.wish.title}"
        self.title = ElidedLabel(title, "medium")
        self.about = ElidedLabel(about(request), "small", tone="text2")
        asked = f"Request {request.id}, asked for {request.created_utc:%Y-%m-%d %H:%M} UTC"
        self.title.set_tip(asked)
        self.about.set_tip(f"{about(request)}\n{asked}")
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.about)
        self.priority = NumberField(
            theme, name=f"Priority of request {request.id}", value=request.priority,
            maximum=HIGHEST_PRIORITY, step=10,
        )  # fmt: skip
        self.priority.setFixedWidth(88)
        self.priority.setToolTip("Priority: 0 to 100, the highest is taken first")
        urgent = label("priority", "small", tone="text3")
        self.cancel = IconButton(theme, "close", "Cancel this request", kind=ButtonKind.FLAT)
        self.back = Button(theme, "Put back", icon="undo", size=ButtonSize.SMALL)
        waits = request.state is RequestState.QUEUED
        urgent.setVisible(waits)
        self.priority.setVisible(waits)
        self.cancel.setVisible(waits)
        self.back.setVisible(request.state in (RequestState.CANCELLED, RequestState.ERROR))
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 12, 4)
        row.setSpacing(12)
        row.addWidget(place)
        row.addLayout(words, 1)
        for widget in (urgent, self.priority, self.cancel, self.back):
            row.addWidget(widget)
        self.cancel.clicked.connect(lambda _checked=False: self.cancel_wanted.emit(request))
        self.back.clicked.connect(lambda _checked=False: self.give_back_wanted.emit(request))
        self.priority.edited.connect(lambda value: self.priority_wanted.emit(request, round(value)))


class PolicyRow(QWidget):
    """One policy, and when it was carried out last."""

    def __init__(self, line: PolicyLine) -> None:
        super().__init__()
        self.setMinimumHeight(34)
        self.words = ElidedLabel(f"{line.name}: {line.words}", "small")
        self.last = label("", "small", tone="text2")
        if line.last is None:
            self.last.setText("never carried out")
        else:
            night = line.last.night or line.last.changed_utc.date()
            self.last.setText(f"last in the night {night.isoformat()}")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 6)
        row.setSpacing(16)
        row.addWidget(self.words, 1)
        row.addWidget(self.last)


def about(request: Request) -> str:
    """Say settings, who asked, and what came of it, in one line."""
    camera = request.wish.camera
    parts = []
    if request.reason:
        parts.append(request.reason.rstrip("."))
    if camera.gain is not None:
        parts.append(f"gain {camera.gain}")
    if camera.offset is not None:
        parts.append(f"offset {camera.offset}")
    if camera.binning > 1:
        parts.append(f"binning {camera.binning} {TIMES} {camera.binning}")
    if camera.set_temp_c is not None:
        parts.append(temperature(camera.set_temp_c))
    if request.policy:
        parts.append(f"policy {request.policy}")
    return " · ".join(parts) or "the camera's own settings"


def _row(*widgets: QWidget, stretch: int) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(16, 10, 12, 10)
    row.setSpacing(12)
    for i, widget in enumerate(widgets):
        row.addWidget(widget, 1 if i == stretch else 0)
    return row


def _clear(layout: QVBoxLayout, rows: tuple[QWidget, ...]) -> None:
    for row in rows:
        layout.removeWidget(row)
        row.hide()
        row.deleteLater()
