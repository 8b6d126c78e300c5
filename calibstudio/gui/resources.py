"""The one place of the interface that finds its assets."""

from __future__ import annotations

from pathlib import Path

from calibstudio.store.assets import asset


def resource(name: str) -> Path:
    """Return the path of an asset, for example ``icons/stack.svg``.

    Raises
    ------
    FileProblemError
        The installation is incomplete.
    """
    return asset(name)
