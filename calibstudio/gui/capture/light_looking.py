"""The job behind a plan from lights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import JobContext

if TYPE_CHECKING:
    from calibstudio.services.library import Library
    from calibstudio.services.light_plan import LightPlan


def look_at_lights(
    ctx: JobContext,
    paths: Sequence[Path],
    open_library: Callable[[], Library],
    site: Site | None,
    camera: str,
) -> LightPlan:
    """Find what lights need; those of the connected camera, or of the one with the most.

    Raises
    ------
    UsageError
        There are no lights.
    LibraryError
        The library cannot be opened.
    Cancelled
    """
    from calibstudio.services.light_needs import NeedSettings
    from calibstudio.services.light_plan import plan_from_lights
    from calibstudio.store.recipes import load_recipe

    library, recipe = open_library(), load_recipe("default")
    mine = NeedSettings(recipe, camera=camera, site=site)
    try:
        return plan_from_lights(ctx, paths, library, mine)
    except UsageError:
        return plan_from_lights(ctx, paths, library, NeedSettings(recipe, site=site))
