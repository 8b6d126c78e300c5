"""Scanning folders for the window: the tree fills while the scan goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.domain.changes import ManualChanges
from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames, grouping_keys
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.regroup import apply_changes

if TYPE_CHECKING:
    from calibstudio.services.library import Library

log = logging.getLogger(__name__)

SHOW_EVERY_S = 0.8


class FillingScan:
    """The job that scans; hands out a grouping of what was found so far, then the whole."""

    def __init__(
        self,
        folders: Sequence[Path],
        site: Site | None,
        changes: ManualChanges,
        open_library: Callable[[], Library],
        show: Callable[[Grouping], None],
        recipe: Recipe | None = None,
    ) -> None:
        """``changes`` by hand count beside those kept in the library. ``recipe`` says what frames
        of a group share, and how close is the same.

        ``show`` is called in the job's thread.
        """
        self._folders, self._site, self._changes = tuple(folders), site, changes
        self._open_library, self._show = open_library, show
        recipe = recipe or Recipe()
        self._tolerances, self._keys = recipe.tolerances, grouping_keys(recipe)
        self._found: list[FrameHeader] = []
        self._next = time.monotonic() + SHOW_EVERY_S

    def __call__(self, ctx: JobContext) -> Grouping:
        """Scan, group, apply the changes made by hand, today or in an earlier session."""
        from calibstudio.services.import_frames import scan_and_group
        from calibstudio.services.regroup import load_changes

        grouping, _ = scan_and_group(
            ctx,
            self._folders,
            site=self._site,
            tolerances=self._tolerances,
            keys=self._keys,
            on_found=self._on_found,
        )
        if self._changes:
            return apply_changes(grouping, self._changes)
        try:
            kept = load_changes(self._open_library(), grouping.headers.values())
        except CalibStudioError as error:
            # The frames can be looked at without it; the Library workspace says what is wrong.
            log.warning("changes made by hand were not read: %s", error)
            return grouping
        return apply_changes(grouping, kept)

    def _on_found(self, headers: list[FrameHeader]) -> None:
        self._found += headers
        if time.monotonic() < self._next:
            return
        before = time.monotonic()
        self._show(group_frames(self._found, self._tolerances, keys=self._keys))
        # Grouping grows with the folder: it may take a tenth of the scan's time, not more.
        self._next = time.monotonic() + max(SHOW_EVERY_S, 9 * (time.monotonic() - before))
