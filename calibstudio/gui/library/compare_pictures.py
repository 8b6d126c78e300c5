"""Pictures side by side that move together; those of masters share one stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject

from calibstudio.gui.picture.view import PictureView


class LinkedViews(QObject):
    """Keeps several views at the same part of the sensor.

    Parameters
    ----------
    views
        All that move together.
    stretched
        Those of them that also share black, white and curve.
    """

    def __init__(
        self, views: Sequence[PictureView], stretched: Sequence[PictureView], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._views, self._stretched = tuple(views), tuple(stretched)
        self._at_work = False
        for view in self._views:
            view.viewport_changed.connect(lambda _viewport, v=view: self._move(v))
            view.tools_changed.connect(lambda v=view: self._move(v))
        for view in self._stretched:
            view.stretch_changed.connect(lambda stretch, v=view: self._stretch(v, stretch))

    def _move(self, leader: PictureView) -> None:
        viewport = leader.viewport
        if self._at_work or viewport is None:
            return
        self._at_work = True
        try:
            for view in self._views:
                if view is leader:
                    continue
                view.set_viewport(viewport)
                if leader.zoom_mode == "fit":
                    view.fit()
                elif leader.zoom_mode == "width":
                    view.fit_width()
                view.show_crosshair(leader.shows_crosshair)
                if leader in self._stretched and view in self._stretched:
                    view.show_clipped(leader.shows_clipped)
        finally:
            self._at_work = False

    def _stretch(self, leader: PictureView, stretch: Any) -> None:
        if self._at_work:
            return
        self._at_work = True
        try:
            for view in self._stretched:
                if view is not leader:
                    view.set_stretch(stretch)
        finally:
            self._at_work = False
