"""The right side: the frame as a picture, its verdict, and what its group becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.wording import count, quantity
from calibstudio.gui.frames.table import FrameRow
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import KeyValueGrid, Section, ground, scrolled
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictCard, kind_of
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.imaging.display_numbers import Histogram, channel_histograms, region_histogram
from calibstudio.services.pictures import read_first_image


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A frame, ready to be shown."""

    path: Path
    pyramid: Pyramid
    histograms: dict[str, Histogram]


class DetailPanel(QWidget):
    """Everything about the chosen frame and its group, and the button that stacks it.

    Signals
    -------
    picture_failed(Exception)
        A frame could not be read.
    counted(object)
        Histograms of the frame that is looked at now, by colour.
    """

    picture_failed = Signal(object)
    counted = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._row: FrameRow | None = None
        self._title = label("", "heading")
        self._file = ElidedLabel("", "small", tone="text2")
        self.picture = PictureView(theme)
        self.chips = PictureChips(theme, self.picture)
        self.card = VerdictCard(theme)
        self.plan = Section("What this group becomes", line=False)
        self.facts = KeyValueGrid()
        self.cost = label("", "note", wrap=True)
        self.stack = Button(
            theme,
            "Stack",
            ButtonKind.PRIMARY,
            icon="stack",
            key="Ctrl+Enter",
            size=ButtonSize.LARGE,
        )
        self.all_groups = Button(
            theme, "Stack all", size=ButtonSize.LARGE, tip="Stack every group that can be"
        )
        self._reader = NewestWorker("frame", self)
        self._build()
        self._reader.done.connect(self._on_read)
        self._reader.failed.connect(self._on_failed)

    def _build(self) -> None:
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(16, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self._title)
        row.addWidget(self._file, 1)
        self.picture.setFixedHeight(288)
        self.picture.setAccessibleName("Picture of the frame")
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        holder = QVBoxLayout()
        holder.setContentsMargins(16, 12, 16, 4)
        holder.addWidget(self.card)
        column.addLayout(holder)
        self.plan.body.addWidget(self.facts)
        column.addWidget(self.plan)
        column.addStretch(1)
        foot = ground("panel", border="top")
        foot_column = QVBoxLayout(foot)
        foot_column.setContentsMargins(16, 12, 16, 14)
        foot_column.setSpacing(8)
        foot_column.addWidget(self.cost)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.stack, 1)
        buttons.addWidget(self.all_groups)
        self.stack.setSizePolicy(
            self.sizePolicy().Policy.Expanding, self.stack.sizePolicy().Policy.Fixed
        )
        foot_column.addLayout(buttons)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(head)
        outer.addWidget(self.picture)
        outer.addWidget(scrolled(middle), 1)
        outer.addWidget(foot)

    def show_frame(self, row: FrameRow | None) -> None:
        """Look at a frame; the old picture stays until its own was read in the background."""
        before, self._row = self._row, row
        self._title.setText("" if row is None else f"Frame {row.number}")
        self._file.setText("" if row is None else row.path.name)
        self._file.set_tip("" if row is None else str(row.path))
        self._show_verdict(row)
        if row is None:
            self.picture.set_picture(None)
            self.chips.show_counts(None)
            self.chips.show_verdict("", "")
            self.chips.show_empty("picture", "No frame chosen.")
        elif before is None or before.path != row.path:
            self.chips.hide_empty()
            self.chips.show_busy("Reading", can_cancel=False)
            self._read(row)

    def _read(self, row: FrameRow) -> None:
        path, header = row.path, row.header
        saturation = None if header is None else header.saturation_adu
        bayer = None if header is None else header.bayer

        def work() -> _Read:
            data = read_first_image(path)
            counted = channel_histograms(data, bayer) if bayer else {"": region_histogram(data)}
            return _Read(path, build_pyramid(data, saturation=saturation), counted)

        self._reader.ask(work)

    @Slot(object)
    def _on_read(self, result: _Read) -> None:
        pyramid = result.pyramid
        if self._row is None or result.path != self._row.path:
            return
        self.chips.done()
        self.counted.emit(result.histograms)
        self.picture.set_picture(pyramid)
        self.chips.show_counts(pyramid)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self.chips.done()
        self.picture_failed.emit(error)

    def _show_verdict(self, row: FrameRow | None) -> None:
        verdict = None if row is None else row.verdict
        if row is None or verdict is None:
            self.card.hide()
            self.chips.show_verdict("", "" if row is None else "being measured")
            return
        finding = row.assessment.worst_finding if row.assessment is not None else None
        if finding is None:
            finding = Finding(Verdict.GOOD, "nothing wrong", _summary(row))
        if row.left_out is not None:
            finding = Finding(
                finding.verdict, "left out of the stack", finding.what, finding.cause, finding.cure
            )
        self.card.show_finding(finding)
        self.card.show()
        self.chips.show_verdict(kind_of(verdict), _summary(row))

    def show_plan(
        self, facts: Sequence[tuple[str, str]], *, n_used: int, can_stack: bool, cost: str = ""
    ) -> None:
        """Say what the group becomes and what that costs; ``n_used`` frames go in."""
        self.cost.setText(cost)
        self.cost.setVisible(bool(cost))
        self.facts.set_rows(facts)
        self.plan.setVisible(bool(facts))
        self.stack.setText(f"Stack {count(n_used, 'frame')}" if n_used else "Stack")
        self.stack.setEnabled(can_stack)

    def close_down(self) -> None:
        """Stop reading."""
        self._reader.close()
        self.picture.close_down()


def _summary(row: FrameRow) -> str:
    level, noise = row.value("level"), row.value("noise")
    parts = []
    if level is not None:
        parts.append(f"Level {quantity(level, 'ADU', 0 if level >= 10000 else 1)}")
    if noise is not None:
        parts.append(f"sigma {quantity(noise, 'ADU', 1)}")
    return ", ".join(parts) + "." if parts else ""
