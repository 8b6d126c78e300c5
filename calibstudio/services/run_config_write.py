"""A plan as a file of `calibstudio run`: made by a wizard or from lights, carried out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from calibstudio.domain.plan import CapturePlan, step_document
from calibstudio.domain.run_config import CameraWish, FlatWish, RunConfig
from calibstudio.domain.wording import count
from calibstudio.services.run_config import FORMAT_KEY, VERSION
from calibstudio.store.publish import publish_file

HEAD = """\
# {title}: {frames}.
# Carried out by:   calibstudio run {name}
# or in the window: Capture, Open a file…
# Every key is described in the help, under "Capture without a screen".

"""


def config_text(plan: CapturePlan, *, name: str = "FILE.yaml", rig: str = "") -> str:
    """Return a plan as YAML that `parse_run_config` reads back as the same steps."""
    document: dict[str, object] = {FORMAT_KEY: VERSION, "title": plan.title}
    if rig:
        document["rig"] = rig
    document["masters"] = plan.build_masters
    document["cooling"] = {"warm_up": plan.warm_up}
    document["steps"] = [step_document(step) for step in plan.steps]
    return _written(document, plan, name)


def wishes_text(config: RunConfig, plan: CapturePlan, *, name: str = "FILE.yaml") -> str:
    """Return bias, darks, flats and dark flats of a configuration as YAML that reads back the same.

    Unlike `config_text` it names no step: the camera that carries it out gives its own limits.
    Level, light and limits of flats are the usual ones.

    Parameters
    ----------
    plan
        What it comes to, for the words at its top.
    """
    document: dict[str, object] = {FORMAT_KEY: VERSION, "title": config.title}
    if config.rig:
        document["rig"] = config.rig
    parts: Mapping[str, list[dict[str, object]]] = {
        "bias": [{"frames": w.frames, **_camera(w.camera)} for w in config.bias],
        "darks": [
            {"frames": w.frames, "exposures": list(w.exposures_s), **_camera(w.camera)}
            for w in config.darks
        ],
        "flats": [_flats(w) for w in config.flats],
        "dark_flats": [
            {"frames": w.frames, "exposures": list(w.exposures_s), **_camera(w.camera)}
            for w in config.dark_flats
        ],
    }
    document.update({key: found for key, found in parts.items() if found})
    return _written(document, plan, name)


def _flats(wish: FlatWish) -> dict[str, object]:
    found: dict[str, object] = {"frames": wish.frames}
    if wish.filters:
        found["filters"] = list(wish.filters)
    if wish.dark_flats is not None:
        found["dark_flats"] = wish.dark_flats
    return {**found, **_camera(wish.camera)}


def _camera(wish: CameraWish) -> dict[str, object]:
    """Return camera settings, without what is the camera's own."""
    region = wish.region
    values: dict[str, object | None] = {
        "gain": wish.gain,
        "offset": wish.offset,
        "readout_mode": wish.readout_mode,
        "binning": wish.binning if wish.binning != 1 else None,
        "region": None if region is None else [region.x, region.y, region.width, region.height],
        "temperature": wish.set_temp_c,
    }
    return {key: value for key, value in values.items() if value is not None}


def _written(document: Mapping[str, object], plan: CapturePlan, name: str) -> str:
    body = yaml.safe_dump(
        dict(document), sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    head = HEAD.format(title=plan.title, frames=count(plan.frames_wanted, "frame"), name=name)
    return head + str(body)


def save_wishes(path: Path, config: RunConfig, plan: CapturePlan) -> None:
    """Write `wishes_text` to a file that must not exist with other content.

    Raises
    ------
    WriteProblemError
        The name is taken, or the disk refuses.
    """
    text = wishes_text(config, plan, name=path.name)
    publish_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def save_plan(path: Path, plan: CapturePlan, *, rig: str = "") -> None:
    """Write a plan to a file that must not exist with other content.

    Raises
    ------
    WriteProblemError
        The name is taken, or the disk refuses.
    """
    text = config_text(plan, name=path.name, rig=rig)
    publish_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
