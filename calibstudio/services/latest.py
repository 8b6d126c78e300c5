"""A mailbox with one place, between a camera that is fast and a screen that has its own pace."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A mailbox with one place: a newer item replaces one that nobody took.

    Only for looking. Frames that must be kept go to the writer before they come here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._item: T | None = None
        self.replaced = 0
        """How many items were never taken; shown as "skipped" in the preview."""

    def put(self, item: T) -> None:
        """Leave the newest item, whatever was there before."""
        with self._lock:
            if self._item is not None:
                self.replaced += 1
            self._item = item

    def take(self) -> T | None:
        """Return the newest item once; None when nothing new came."""
        with self._lock:
            item, self._item = self._item, None
            return item
