"""Make a master again and compare: a button, and the result as a sentence."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import MasterRecord
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.text import breakable, label, set_tone


class MakeAgain(QWidget):
    """The same frames and recipe give the same bytes: this shows it for one master.

    Signals
    -------
    done(Rebuilt)
        A master was made again, or could not be.
    """

    done = Signal(object)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._record: MasterRecord | None = None
        self._at_work: str = ""
        self.button = Button(
            context.theme, "Make again and compare", ButtonKind.LINK, size=ButtonSize.SMALL
        )
        self.button.setToolTip(
            "Looks for the frames where they were, makes the master again in a temporary folder "
            "and says whether it is the same to the byte."
        )
        self.result = label("", "small", wrap=True)
        # Names of masters are long: they must never make the panel wider than its place.
        self.result.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.result)
        self._say("")
        self.button.clicked.connect(self.start)

    def show_master(self, record: MasterRecord | None) -> None:
        """Offer it for another master; what was said of the one before is gone."""
        if record is None or self._record is None or record.sha256 != self._record.sha256:
            self._say("")
        self._record = record
        self.button.setEnabled(record is not None and not self._at_work)

    @Slot()
    def start(self) -> None:
        """Begin, in the background."""
        record, open_library = self._record, self._context.open_library
        if record is None or self._at_work:
            return

        def work(ctx: JobContext) -> object:
            from calibstudio.services.rebuild import rebuild_master

            library = open_library()
            return rebuild_master(ctx, record.path, [library.folder], library=library)

        self._at_work = record.sha256
        self.button.setEnabled(False)
        self._say("At work in the background", "text2")
        job = self._context.background.submit(f"Make {record.path.name} again", work)
        job.succeeded.connect(self._on_done)
        job.failed.connect(self._on_failed)
        job.finished.connect(self._on_finished)

    def _is_shown(self) -> bool:
        return self._record is not None and self._record.sha256 == self._at_work

    @Slot(object)
    def _on_done(self, rebuilt: object) -> None:
        from calibstudio.services.rebuild import Rebuilt

        if not isinstance(rebuilt, Rebuilt):
            return
        tone = "good" if rebuilt.identical else "warn"
        if self._is_shown():
            self._say(rebuilt.sentence, tone)
        else:
            self._context.toasts.say(rebuilt.sentence, tone)
        self.done.emit(rebuilt)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._say("")
        self._context.problems.report(error)

    @Slot()
    def _on_finished(self) -> None:
        self._at_work = ""
        if self.result.property("tone") == "text2":  # Cancelled: nothing was said.
            self._say("")
        self.button.setEnabled(self._record is not None)

    def _say(self, text: str, tone: str = "") -> None:
        """Say what came out, below the button; names may break."""
        self.result.setText(breakable(text))
        self.result.setVisible(bool(text))
        set_tone(self.result, tone)
