"""The overscan that a rig states for a camera whose headers do not say where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calibstudio.domain.header import FrameHeader
from calibstudio.domain.overscan import OverscanSettings, Section, SectionError, parse_section
from calibstudio.domain.rig import Rig
from calibstudio.domain.wording import size
from calibstudio.services.rig_limits import RigLimits, source_of

_OF_HEADER = {"bias": ("BIASSEC",), "data": ("TRIMSEC", "DATASEC")}


def with_stated_sections(
    settings: OverscanSettings, headers: Sequence[FrameHeader], rigs: RigLimits
) -> tuple[OverscanSettings, tuple[str, ...]]:
    """Return the settings with the sections that the rig of frames states, and what to say of it.

    Parameters
    ----------
    headers
        Of frames that are treated alike; one that says sections speaks for all.

    Sections that were typed for this work, and those of the header, come before the rig's. The
    rig's are of the whole unbinned frame: binned frames have them in proportion. Where that makes
    no whole pixels, or the frame is a part of the sensor, they are not used, and it is said.
    """
    if not headers:
        return settings, ()
    header = next((h for h in headers if h.sections), headers[0])
    rig = rigs.rig_of(header)
    if rig is None or not (rig.knows.bias_section or rig.knows.data_section):
        return settings, ()
    if settings.bias or settings.data or len(header.images) > 1 or header.shape is None:
        return settings, ()
    try:
        stated = _sections(rig, header)
    except SectionError as error:
        return settings, (f"The sections that {source_of(rig)} states are not used: {error}.",)
    if header.sections:
        return settings, _contradictions(rig, header, stated)
    made = replace(settings, bias=str(stated.get("bias", "")), data=str(stated.get("data", "")))
    what = {"bias": "overscan", "data": "data"}
    said = " and ".join(f"{what[name]} {section}" for name, section in stated.items())
    note = f"Where the header says no section, {source_of(rig)} does: {said}."
    if "bias" in stated and not settings.active:
        note += " The overscan stays in; [overscan] in a recipe takes it out and trims."
    return made, (note,)


def _sections(rig: Rig, header: FrameHeader) -> dict[str, Section]:
    """Return the rig's sections in a frame."""
    ny, nx = header.shape or (0, 0)
    along, across = header.binning or (1, 1)
    knows = rig.knows
    full = (knows.sensor_height_px, knows.sensor_width_px)
    # A binned frame drops what makes no whole pixel at the edge.
    is_whole = None in full or (full[0] // across, full[1] // along) == (ny, nx)  # type: ignore[operator]
    if not is_whole:
        raise SectionError(f"the frame of {size((ny, nx))} pixels is a part of the sensor")
    unbinned = (full[0] or ny * across, full[1] or nx * along)
    found = {}
    for name, text in (("bias", knows.bias_section), ("data", knows.data_section)):
        if text:
            whole = parse_section(text, unbinned, name)
            found[name] = _binned(whole, along, across, name)
    if len(found) == 2 and found["bias"].overlaps(found["data"]):
        raise SectionError("its overscan lies in its data")
    return found


def _binned(section: Section, along: int, across: int, name: str) -> Section:
    ends = ((section.y0, across), (section.y1, across), (section.x0, along), (section.x1, along))
    if any(end % by for end, by in ends):
        raise SectionError(f"{name} {section} makes no whole pixels at binning {along} × {across}")
    return Section(*(end // by for end, by in ends))


def _contradictions(rig: Rig, header: FrameHeader, stated: dict[str, Section]) -> tuple[str, ...]:
    """Say where a header and its rig differ; the header counts."""
    rows = (entry.split(" ", 1) for entry in header.sections.split(", "))
    said = {row[0]: row[1] for row in rows if len(row) == 2}
    notes = []
    for name, section in stated.items():
        keyword = next((k for k in _OF_HEADER[name] if k in said), None)
        if keyword is None:
            continue
        try:
            own = parse_section(said[keyword], header.shape or (0, 0), keyword)
        except SectionError:
            continue  # it is said where the section is used
        if own != section:
            notes.append(
                f"The header says {keyword} {own}, {source_of(rig)} {section}: the header counts."
            )
    return tuple(notes)
