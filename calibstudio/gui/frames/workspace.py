"""The Frames workspace: folders in, groups of frames, regrouped by hand, masters out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QTimer, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QUndoStack
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.grouping_rules import grouping_keys
from calibstudio.domain.jobs import JobContext, Progress
from calibstudio.domain.recipe import Recipe
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.correct_sheet import correct_header
from calibstudio.gui.frames.detail_panel import DetailPanel
from calibstudio.gui.frames.folders import Folders
from calibstudio.gui.frames.frames_panel import FramesPanel
from calibstudio.gui.frames.groups_panel import GroupsPanel
from calibstudio.gui.frames.measuring import Measuring
from calibstudio.gui.frames.menus import FrameMenus
from calibstudio.gui.frames.pace import cost_text
from calibstudio.gui.frames.questions import GroupQuestion, about_row, question_for
from calibstudio.gui.frames.recipe_choice import RecipeChoice
from calibstudio.gui.frames.regroup_actions import RegroupActions
from calibstudio.gui.frames.stacking import Stacking, group_facts
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.frames.tree_model import Node
from calibstudio.gui.sheet import file_dialog
from calibstudio.gui.widgets.buttons import Button, IconButton
from calibstudio.gui.widgets.panels import EmptyState
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.workspace import Workspace

WIDE, NARROW = (392, 1014, 418), (296, 690, 316)
"""Widths of tree, table and picture: usual, and in a small window."""
KEEP_AFTER_MS = 400
"""A change by hand is written so long after the last one."""


class FramesWorkspace(Workspace):
    """Everything on one screen: tree, table over plot, picture and what the group becomes.

    Signals
    -------
    scanned(Grouping)
        Folders were read completely.
    """

    scanned = Signal(object)

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Frames", parent)
        self.state = FramesState(self)
        self.undo = QUndoStack(self)
        self.actions_by_hand = RegroupActions(self.state, self.undo, context.problems.report)
        self.measuring = Measuring(context, self.state, self)
        self.stacking = Stacking(context, self.state, self)
        self.folders = Folders(context, self.state, self)
        self._menus = FrameMenus(self, self.state, self.actions_by_hand, self._ask_for_value)
        self._wanted: tuple[Path, ...] = ()
        """Frames whose group is to be looked at when it is found."""
        self._keep = QTimer(self)
        self._keep.setSingleShot(True)
        self._keep.setInterval(KEEP_AFTER_MS)
        self._file_dialog: QFileDialog | None = None
        self.groups = GroupsPanel(self.theme, self.state)
        self.frames = FramesPanel(self.theme, self.state)
        self.detail = DetailPanel(self.theme)
        self._build()
        self._connect()
        self._on_grouping(self.state.grouping)
        self._on_row(None)

    # Building

    def _build(self) -> None:
        self.add_folder_button = Button(self.theme, "Add folder…", icon="folder")
        self.undo_button = IconButton(self.theme, "undo", "Undo")
        self.redo_button = IconButton(self.theme, "redo", "Redo")
        self.recipe = RecipeChoice(self.theme, self.context.problems.report)
        header = (self.recipe, self.add_folder_button, self.undo_button, self.redo_button)
        for widget in header:
            self.add_header_action(widget)
        splitter = self._splitter = Splitter("frames", sizes=WIDE)
        for panel in (self.groups, self.frames, self.detail):
            splitter.addWidget(panel)
        self.groups.setMinimumWidth(250)
        self.detail.setMinimumWidth(316)
        self.empty = EmptyState(
            self.theme,
            "folder-open",
            "Drop a folder here, or add one.",
            hint="Frames are grouped by what their headers say. Nothing in the folder is changed.",
            action="Add folder…",
            on_action=self.ask_for_folder,
            primary=True,
        )
        self._pages = QStackedWidget()
        self._pages.addWidget(self.empty)
        self._pages.addWidget(splitter)
        self.body.addWidget(self._pages, 1)
        self.setAcceptDrops(True)

    def _connect(self) -> None:
        self.add_folder_button.clicked.connect(self.ask_for_folder)
        self.recipe.recipe_chosen.connect(self.use_recipe)
        self.undo_button.clicked.connect(self.undo.undo)
        self.redo_button.clicked.connect(self.undo.redo)
        self.undo.indexChanged.connect(self._on_history)
        self.undo.indexChanged.connect(self._on_changed_by_hand)
        self._keep.timeout.connect(self.keep_changes)
        self.undo.cleanChanged.connect(self._on_history)
        self.state.changed.connect(self._on_grouping)
        self.folders.found_so_far.connect(self._on_found_so_far)
        self.folders.progressed.connect(self._on_scan_progress)
        self.folders.scanned.connect(self._on_scanned)
        self.folders.finished.connect(self._on_scan_finished)
        self.groups.chosen.connect(self._on_row)
        self.groups.dropped.connect(self._on_dropped)
        self.groups.menu_wanted.connect(self._on_tree_menu)
        self.groups.question.answered.connect(self._on_answered)
        self.frames.frame_chosen.connect(self.detail.show_frame)
        self.frames.selection_changed.connect(self._on_selection)
        self.frames.menu_wanted.connect(self._on_table_menu)
        self.frames.leave_out.clicked.connect(self.leave_out)
        self.frames.split.clicked.connect(self.split)
        self.frames.merge.clicked.connect(self._on_merge_button)
        self.frames.correct.clicked.connect(self.correct_header)
        self.detail.stack.clicked.connect(self.stack_group)
        self.detail.all_groups.clicked.connect(self.stack_all)
        self.detail.picture_failed.connect(self.context.problems.report)
        self.detail.counted.connect(self.frames.across.show_histograms)
        self.stacking.finished.connect(self._on_stacked)
        self.on("leave-out", self.leave_out)
        self.on("undo", self.undo.undo)
        self.on("redo", self.undo.redo)
        self.on("primary", self.stack_group)
        self.on("find", self.groups.search.setFocus)
        self.on("fit", self.detail.picture.fit)
        self.on("one-to-one", self.detail.picture.one_to_one)
        self.on("zoom-in", self.detail.picture.zoom_in)
        self.on("zoom-out", self.detail.picture.zoom_out)
        self.on("cancel", self._on_cancel)
        self._on_history()

    # Folders

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the operator choose a folder."""
        known, usual = self.folders.paths, self.context.settings.current.frames_folder
        start = known[-1] if known else usual
        dialog = file_dialog(self.theme, self, "Add a folder of frames", start=start, folders=True)
        dialog.fileSelected.connect(lambda path: self.add_folders([Path(path)]))
        self._file_dialog = dialog
        dialog.open()

    def add_folders(self, folders: Sequence[Path]) -> None:
        """Add folders (or files) and scan everything."""
        self.folders.add(folders)
        self.rescan()

    def look_at(self, folder: Path, frames: Sequence[Path]) -> None:
        """Add a folder, and look at the group that holds the first of these frames."""
        self._wanted = tuple(frames)
        self.add_folders([folder])

    def _choose_wanted(self, grouping: Grouping) -> None:
        """Look at the group that was asked for, once it is there."""
        group = next((g for p in self._wanted if (g := grouping.group_of(p)) is not None), None)
        if group is not None:
            self._wanted = ()
            self.groups.choose_group(group.id)

    def rescan(self) -> None:
        """Read the folders again; what was changed by hand is applied to the new groups."""
        if not self.folders.paths:
            return
        self.folders.scan()
        self.groups.busy.show_busy()
        self.frames.say_nothing("Reading what the files say…")
        self._pages.setCurrentIndex(1)

    @Slot(object)
    def use_recipe(self, recipe: Recipe) -> None:
        """Make masters by another recipe; frames are grouped anew where it groups otherwise."""
        before, self.state.recipe = self.state.recipe, recipe
        if (before.tolerances, grouping_keys(before)) != (recipe.tolerances, grouping_keys(recipe)):
            self.rescan()
        self._on_row(self.groups.node)

    @Slot(object)
    def _on_found_so_far(self, grouping: Grouping) -> None:
        if self.folders.is_scanning and not self.undo.count():
            self.frames.set_filling(True)
            self.state.replace(grouping)
            self.frames.set_filling(False)

    @Slot(object)
    def _on_scan_progress(self, progress: Progress) -> None:
        if progress.text:
            self.set_subtitle(f"{self.folders.where()}   {progress.text}")
            self.frames.say_nothing("Reading what the files say…", progress.text)
            self.groups.busy.show_fraction(progress.fraction)

    @Slot(object)
    def _on_scanned(self, grouping: Grouping) -> None:
        self.undo.clear()
        self.state.replace(grouping)
        self._choose_wanted(grouping)
        self.scanned.emit(grouping)

    @Slot()
    def _on_scan_finished(self) -> None:
        if not self.folders.is_scanning:
            self.groups.busy.done()
        self._say_where()
        self._on_row(self.groups.node)
        folders, grouping = self.folders.paths, self.state.grouping
        if not folders or not (grouping.headers or grouping.ungrouped):
            self._pages.setCurrentIndex(0)
            if folders:
                self.empty.set_sentence(
                    f"There are no frames in {folders[-1].name}.",
                    "Drop another folder here, or add one.",
                )
                folders.clear()

    def _say_where(self) -> None:
        self.set_subtitle(self.folders.words(), "\n".join(str(f) for f in self.folders.paths))

    # What is looked at

    @Slot(object)
    def _on_grouping(self, grouping: Grouping) -> None:
        has_some = bool(grouping.groups or grouping.ungrouped or grouping.ignored)
        if has_some:
            self._pages.setCurrentIndex(1)
        self._say_where()
        self.measuring.measure_next()

    @Slot(object)
    def _on_row(self, node: Node | None) -> None:
        group = self._group_of(node)
        frames = () if node is None or group is None else node.frames
        if group is None and not self.folders.is_scanning:
            self.frames.say_nothing(*about_row(node))
        self.frames.show_frames(group, frames)
        if group is None:
            self.detail.show_frame(None)
            self.detail.show_plan((), n_used=0, can_stack=False)
            self.groups.question.hide()
        else:
            self.measuring.prefer(group.id)
            self._show_group(group)
        self._enable()

    def _show_group(self, group: Group) -> None:
        used = self.state.used(group)
        self.detail.show_plan(
            group_facts(self.state, group),
            n_used=len(used),
            can_stack=len(used) >= self.state.recipe.min_frames and not self.folders.is_scanning,
            cost=cost_text(self.state, group, self.stacking.pace),
        )
        question = question_for(self.state.grouping, group)
        if question is None and group.notes:
            self.groups.question.ask("To know about this group", "\n".join(group.notes))
        elif question is None:
            self.groups.question.hide()
        else:
            self.groups.question.ask(
                question.head, question.text, answer=question.answer, offer=question
            )

    def _group_of(self, node: Node | None) -> Group | None:
        return None if node is None or not node.group_id else self.state.group(node.group_id)

    @property
    def group(self) -> Group | None:
        """The group that is looked at."""
        return self._group_of(self.groups.node)

    @Slot(object)
    def _on_selection(self, paths: tuple[Path, ...]) -> None:
        self._enable()

    def _enable(self) -> None:
        chosen = self._chosen_frames()
        group = self.group
        self.frames.leave_out.setEnabled(bool(chosen))
        all_out = bool(chosen) and all(p in self.state.grouping.excluded for p in chosen)
        self.frames.leave_out.setText("Use again" if all_out else "Leave out")
        self.frames.correct.setEnabled(bool(chosen))
        self.frames.split.setEnabled(group is not None and 0 < len(chosen) < len(group.frames))
        others = [g for g in self.state.grouping.groups if group is None or g.id != group.id]
        self.frames.merge.setEnabled(group is not None and bool(others))
        self.detail.all_groups.setEnabled(bool(self.state.grouping.groups))

    def _chosen_frames(self) -> tuple[Path, ...]:
        return self.frames.selected or ()

    # By hand

    @Slot()
    def leave_out(self) -> None:
        """Leave the selected frames out of the stack, or take them in again."""
        self.actions_by_hand.leave_out(self._chosen_frames())

    @Slot()
    def split(self) -> None:
        """Make a group of the selected frames."""
        self.actions_by_hand.split(self._chosen_frames())

    @Slot()
    def correct_header(self) -> None:
        """Ask for a header value of the selected frames."""
        frames = self._chosen_frames()
        if frames:
            self._ask_for_value(frames)

    def _ask_for_value(self, frames: Sequence[Path]) -> None:
        correct_header(
            self.theme,
            self,
            self.state.grouping,
            frames,
            lambda values: self.actions_by_hand.correct(frames, values),
        )

    @Slot(object)
    def _on_dropped(self, dropped: tuple[tuple[Path, ...], str]) -> None:
        frames, group_id = dropped
        if group_id:
            self.actions_by_hand.move(frames, group_id)
            self.groups.choose_group(group_id)
        else:
            self.actions_by_hand.split(frames)

    @Slot(object)
    def _on_answered(self, question: GroupQuestion) -> None:
        offer = question.offer
        if offer.values and len(offer.values) == len(offer.differences):
            self.actions_by_hand.correct(offer.frames, offer.values)
        elif offer.target_id:
            self.actions_by_hand.move(offer.frames, offer.target_id)

    @Slot()
    def _on_merge_button(self) -> None:
        self._menus.merge_under(self.frames.merge, self.group)

    @Slot(object)
    def _on_table_menu(self, at: QPoint) -> None:
        self._menus.of_frames(at, self._chosen_frames(), self.group)

    @Slot(object)
    def _on_tree_menu(self, at: QPoint) -> None:
        groups = self.groups
        self._menus.of_row(at, groups.node, groups.frames, self.group, groups.group_ids)

    @Slot()
    def _on_history(self) -> None:
        for button, can, text, word in (
            (self.undo_button, self.undo.canUndo(), self.undo.undoText(), "Undo"),
            (self.redo_button, self.undo.canRedo(), self.undo.redoText(), "Redo"),
        ):
            button.setEnabled(can)
            button.set_tip(f"{word}: {text}" if can else f"Nothing to {word.lower()}")

    @Slot()
    def _on_changed_by_hand(self) -> None:
        if self.undo.count():
            self._keep.start()

    @Slot()
    def keep_changes(self) -> None:
        """Write what was changed by hand into the library's database, in the background."""
        self._keep.stop()
        grouping, open_library = self.state.grouping, self.context.open_library

        def work(ctx: JobContext) -> bool:
            from calibstudio.services.regroup import keep_changes

            return keep_changes(open_library(), grouping)

        job = self.context.background.submit("Keep changes", work, quiet=True)
        job.failed.connect(self.context.problems.report)

    # Stacking

    @Slot()
    def stack_group(self) -> None:
        """Build the master of the group that is looked at, in the background."""
        group = self.group
        if group is not None and self.detail.stack.isEnabled():
            self.stacking.start([group])

    @Slot()
    def stack_all(self) -> None:
        """Build every master that these groups allow, in the order of their dependence."""
        if self.state.grouping.groups:
            self.stacking.start(self.state.grouping.groups)

    @Slot()
    def _on_stacked(self) -> None:
        group = self.group
        if group is not None:
            self._show_group(group)

    # The window

    @Slot()
    def _on_cancel(self) -> None:
        self.folders.cancel()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.add_folders(paths)

    def on_compact(self, compact: bool) -> None:
        self.detail.picture.setFixedHeight(208 if compact else 288)
        self.frames.correct.setText("Header…" if compact else "Correct header…")
        self._splitter.suggest(NARROW if compact else WIDE)

    def close_down(self) -> None:
        self.folders.cancel()
        if self._keep.isActive():
            self.keep_changes()
        self.measuring.stop()
        self.detail.close_down()
