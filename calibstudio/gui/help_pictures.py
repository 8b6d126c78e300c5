"""The text of the help with its pictures: as wide as the text, and red in the night theme."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QImage, QResizeEvent, QTextDocument, qRgb
from PySide6.QtWidgets import QTextBrowser

from calibstudio.domain.errors import CalibStudioError
from calibstudio.gui.resources import resource
from calibstudio.gui.theme import ThemeState, Tokens, image_lut


class HelpBrowser(QTextBrowser):
    """Shows Markdown whose pictures are those of ``resources/help/pictures`` and no others.

    Signals
    -------
    resized()
        The text has another width now.
    """

    resized = Signal()

    def __init__(self, theme: ThemeState, widest: int) -> None:
        super().__init__()
        self._theme, self._widest = theme, widest

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return None
        path = name.path() if isinstance(name, QUrl) else name
        return help_picture(PurePosixPath(path).name, self._theme.tokens, self.picture_width)

    @property
    def picture_width(self) -> int:
        """Pixels across that a picture may have."""
        return max(min(self._widest, self.viewport().width()) - 24, 200)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


def help_picture(name: str, tokens: Tokens, width: int) -> QImage:
    """Return a picture of the help, at most so wide; empty where there is none of this name."""
    try:
        picture = QImage(str(resource(f"help/pictures/{name}")))
    except (CalibStudioError, OSError):
        return QImage()
    if picture.width() > width:
        picture = picture.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
    return reddened(picture, tokens) if tokens.is_night and not picture.isNull() else picture


def reddened(picture: QImage, tokens: Tokens) -> QImage:
    """Return a picture in the colours of the night theme: its grey as red."""
    grey = picture.convertToFormat(QImage.Format.Format_Grayscale8)
    reds = [qRgb(int(red), 0, 0) for red, _, _ in image_lut(tokens)]
    indexed = QImage(
        grey.constBits(),
        grey.width(),
        grey.height(),
        grey.bytesPerLine(),
        QImage.Format.Format_Indexed8,
    )
    indexed.setColorTable(reds)
    return indexed.convertToFormat(QImage.Format.Format_RGB32)
