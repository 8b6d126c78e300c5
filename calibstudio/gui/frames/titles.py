"""How groups are named in the tree: the camera and its settings once, above what they share."""

from __future__ import annotations

from calibstudio.domain.grouping import Group
from calibstudio.domain.header import HeaderValue, json_value

SETTINGS = ("camera", "serial", "readout_mode", "gain", "offset", "binning", "shape", "bayer")
"""Keys that a branch of the tree stands for."""
_ICONS = {
    "bias": "bias",
    "dark": "dark",
    "dark flat": "dark-flat",
    "flat": "flat",
    "light": "light",
}


def branch_key(group: Group) -> str:
    """Return a stable name for the camera settings that a group was taken with."""
    return "settings/" + "/".join(str(json_value(group.key.get(k, "?"))) for k in SETTINGS)


def branch_title(group: Group) -> str:
    """Return ``ASI2600MM Pro · gain 100 · offset 50``; what no frame says is left out or said."""
    key = group.key
    parts = [str(key.get("camera", "Camera unknown"))]
    parts += [f"{word} {_plain(key[word])}" for word in ("gain", "offset") if word in key]
    if "offset" in group.unknown and "gain" in key:
        parts.append("offset unknown")
    if key.get("binning", (1, 1)) != (1, 1):
        parts.append(f"binning {json_value(key['binning'])}")
    if "readout_mode" in key:
        parts.append(str(key["readout_mode"]))
    shape = key.get("shape")
    if isinstance(shape, tuple) and "camera" not in key:
        parts.append(f"{shape[1]} × {shape[0]}")
    return " · ".join(parts)


def group_icon(kind: str) -> str:
    """Return the icon of a kind of frame."""
    return _ICONS.get(kind, "picture")


def _plain(value: HeaderValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
