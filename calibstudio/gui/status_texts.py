"""What the fields of the status bar say of the equipment."""

from __future__ import annotations

from calibstudio.domain.equipment import CameraState, CoverState
from calibstudio.domain.faults import FaultDesk, kind_of
from calibstudio.domain.wording import NARROW, count, quantity
from calibstudio.gui.equipment_state import CoolingState, EquipmentSnapshot
from calibstudio.gui.status_field import FieldText


def camera_text(s: EquipmentSnapshot) -> FieldText:
    """Say the camera: its name, and its state when that is not as it should be."""
    if s.camera is None and not s.problems:
        return FieldText(status="waiting", strong=s.camera_name, tip="Connecting")
    if s.camera_lost:
        tip = "\n".join(s.problems)
        return FieldText(status="bad", strong=s.camera_name, after="not answering", tip=tip)
    assert s.camera is not None
    if s.camera.state is CameraState.ERROR:
        return FieldText(status="bad", strong=s.camera_name, after="error")
    return FieldText(
        status="warn" if s.problems else "good",
        strong=s.camera_name,
        tip="\n".join((f"{s.camera_name}: {s.camera.state.value}", *s.problems)),
    )


def temperature_text(s: EquipmentSnapshot) -> FieldText:
    """Say the sensor's temperature and the cooler's power."""
    camera = s.camera
    if camera is None and not s.problems:
        return FieldText(icon="cooler", tip="Not read yet")
    if camera is None or camera.sensor_c is None:
        return FieldText(icon="cooler", strong="unknown", tip="Sensor temperature: not known")
    power = camera.cooler_power_pct
    if s.cooling is CoolingState.NONE:
        after = "no cooler"
    elif s.cooling is CoolingState.OFF:
        after = "cooler off"
    else:
        after = "cooler" if power is None else f"cooler {power:.0f}{NARROW}%"
    tone = "bad" if s.cooling is CoolingState.UNREACHABLE else ""
    parts = [f"Sensor {quantity(camera.sensor_c, '°C', 1)}"]
    if camera.set_c is not None:
        parts.append(f"set {quantity(camera.set_c, '°C', 1)}")
    parts.append(s.cooling.value)
    return FieldText(
        icon="cooler",
        strong=quantity(camera.sensor_c, "°C", 1),
        after=after,
        tip=", ".join(parts),
        tone=tone,
    )


def filter_text(s: EquipmentSnapshot) -> FieldText:
    """Say the filter in the beam."""
    if s.filter_moving:
        return FieldText(icon="wheel", after="turning", tip="Filter wheel is turning")
    if not s.has_wheel:
        return FieldText(icon="wheel", after="no wheel", tip="There is no filter wheel")
    if s.camera is None and not s.problems:
        return FieldText(icon="wheel", tip="Not read yet")
    name = s.filter_name or "unknown"
    return FieldText(icon="wheel", strong=name, tip=f"Filter {name}")


def cover_text(s: EquipmentSnapshot) -> FieldText:
    """Say the cover and the lamp."""
    cover = s.cover
    if cover is CoverState.NONE or (cover is None and not s.has_panel):
        said = "No cover"
    elif cover is None or cover is CoverState.UNKNOWN:
        said = "Cover unknown"
    else:
        said = f"Cover {cover.value}"
    lamp = s.lamp_brightness
    if lamp:
        said += ", panel on"
    tip = said if not lamp else f"{said}, brightness {lamp}"
    return FieldText(icon="cover", after=said, tip=tip)


def faults_text(desk: FaultDesk | None) -> FieldText | None:
    """Say what is out of order on request; None when nothing is, or nothing can be."""
    active = list(desk.active()) if desk is not None else []
    if desk is None or not active:
        return None
    titles = [kind_of(word, desk.kinds).title for word in active]
    said = titles[0] if len(titles) == 1 else count(len(titles), "fault")
    return FieldText(status="warn", strong=said, tone="warn", tip="\n".join(titles))
