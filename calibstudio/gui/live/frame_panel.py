"""How the next frame is taken: exposure, gain, offset, binning, read-out mode, filter, region."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from calibstudio.domain.equipment import (
    CameraInfo,
    ExposureRequest,
    Frame,
    Observatory,
    Region,
)
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.wording import EN_DASH, TIMES, exposure, number, utc_clock
from calibstudio.gui.equipment_state import EquipmentSnapshot
from calibstudio.gui.live.parts import SidePart
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import ComboField, Labelled, NumberField

FIRST_EXPOSURE_S = 1.0
FULL, HALF, QUARTER, DRAWN = "full", "half", "quarter", "drawn"


@dataclass(frozen=True, slots=True)
class FilterChange:
    """Another filter was chosen."""

    slot: int
    name: str


def centred(shape: tuple[int, int], divisor: int) -> Region:
    """A region at the sensor's centre, in even pixels so that colours stay where they are."""
    ny, nx = shape
    width, height = nx // divisor // 2 * 2, ny // divisor // 2 * 2
    return Region((nx - width) // 4 * 2, (ny - height) // 4 * 2, width, height)


class FramePanel(SidePart):
    """The settings of the next frame, made from what the camera says it can.

    Signals
    -------
    request_changed(ExposureRequest)
        The next frame shall be taken like this.
    filter_chosen(FilterChange)
        The wheel shall turn.
    """

    request_changed = Signal(object)
    filter_chosen = Signal(object)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__("Frame", parent=parent)
        self._theme = theme
        self._info: CameraInfo | None = None
        self._drawn: Region | None = None
        self._filters: tuple[str, ...] = ()
        self.exposure = NumberField(
            theme, name="Exposure", unit="s", value=FIRST_EXPOSURE_S, decimals=3, large=True
        )
        self.gain = NumberField(theme, name="Gain")
        self.offset = NumberField(theme, name="Offset")
        self.binning = ComboField(theme, name="Binning")
        self.readout = ComboField(theme, name="Read-out mode")
        self.filter = ComboField(theme, name="Filter")
        self.region = ComboField(theme, name="Region")
        self._exposure_row = Labelled("Exposure", self.exposure)
        self.body.addWidget(self._exposure_row)
        for left, right in (
            (Labelled("Gain", self.gain), Labelled("Offset", self.offset)),
            (Labelled("Binning", self.binning), Labelled("Read-out mode", self.readout)),
            (Labelled("Filter", self.filter), Labelled("Region", self.region)),
        ):
            row = QHBoxLayout()
            row.setSpacing(12)
            row.addWidget(left, 1)
            row.addWidget(right, 1)
            self.body.addLayout(row)
        for field in (self.exposure, self.gain, self.offset):
            field.edited.connect(self._on_edited)
        for combo in (self.binning, self.readout, self.region):
            combo.chosen.connect(self._on_edited)
        self.filter.chosen.connect(self._on_filter_chosen)

    def set_observatory(self, observatory: Observatory) -> None:
        """Offer what this equipment can."""
        info = observatory.camera.info
        if self._info is not None and info != self._info:
            self.set_note("")  # it was read back from another camera
        self._info = info
        low, high = info.exposure_min_s, info.exposure_max_s
        self.exposure.setRange(low, high)
        self.exposure.setToolTip(f"{exposure(low)} {EN_DASH} {exposure(high)}")
        self.exposure.set_value(min(max(self.exposure.value(), low), high))
        _offer_number(self.gain, "gain", info.gain_range, info.gain_default)
        _offer_number(self.offset, "offset", info.offset_range, info.offset_default)
        self.binning.set_options([(b, f"{b} {TIMES} {b}") for b in info.binnings])
        modes = info.readout_modes or ("",)
        self.readout.set_options([(m, m or "Only one") for m in modes])
        self.readout.setEnabled(len(modes) > 1)
        self._filters = observatory.wheel.filters if observatory.wheel is not None else ()
        if self._filters:
            self.filter.set_options([(i, f"{i + 1} · {f}") for i, f in enumerate(self._filters)])
        else:
            self.filter.set_options([(None, "No wheel")])
        self.filter.setEnabled(len(self._filters) > 1)
        self._offer_regions()
        self._on_edited()

    def set_drawn_region(self, region: Region | None) -> None:
        """Offer the region that is drawn over the picture; one that is in use stays."""
        if self.region.value == DRAWN:
            if region is not None and region != self._drawn:
                self._drawn = region
                self._on_edited()
            return
        offered = self._drawn is not None
        self._drawn = region
        if offered != (region is not None):
            self._offer_regions()

    def show_snapshot(self, snapshot: EquipmentSnapshot) -> None:
        """Show where the wheel is."""
        if snapshot.filter_slot is not None and not self.filter.view().isVisible():
            self.filter.set_value(snapshot.filter_slot)

    def show_read_back(self, frame: Frame, at: datetime) -> None:
        """Say when the camera's settings were read back, and where they are not as asked."""
        asked = frame.request
        pairs = (
            ("Gain", asked.gain, frame.gain),
            ("Offset", asked.offset, frame.offset),
            ("Mode", asked.readout_mode, frame.readout_mode),
        )
        for word, wanted, got in pairs:
            if wanted is not None and got is not None and wanted != got:
                self.set_note(f"{word} {got} read back, {wanted} asked", "warn")
                return
        self.set_note(f"read back {utc_clock(at)}")

    @property
    def request(self) -> ExposureRequest | None:
        """The next frame; its kind is decided when it begins. None before there is a camera."""
        info = self._info
        if info is None:
            return None
        binning = self.binning.value
        mode = self.readout.value
        return ExposureRequest(
            kind=FrameKind.LIGHT,
            exposure_s=self.exposure.value(),
            gain=int(self.gain.value()) if info.gain_range is not None else None,
            offset=int(self.offset.value()) if info.offset_range is not None else None,
            binning=binning if isinstance(binning, int) else 1,
            region=self._chosen_region(info),
            readout_mode=str(mode) if mode else None,
        )

    def _chosen_region(self, info: CameraInfo) -> Region | None:
        choice = self.region.value
        if choice == HALF:
            return centred(info.shape, 2)
        if choice == QUARTER:
            return centred(info.shape, 4)
        return self._drawn if choice == DRAWN else None

    def _offer_regions(self) -> None:
        options: list[tuple[object, str]] = [
            (FULL, "Full frame"),
            (HALF, "Centre, half"),
            (QUARTER, "Centre, quarter"),
        ]
        if self._drawn is not None:
            options.append((DRAWN, "As drawn"))
        self.region.set_options(options)

    @Slot()
    def _on_edited(self) -> None:
        if (request := self.request) is not None:
            self.request_changed.emit(request)

    @Slot(object)
    def _on_filter_chosen(self, slot: object) -> None:
        if isinstance(slot, int):
            self.filter_chosen.emit(FilterChange(slot, self._filters[slot]))


def _offer_number(
    field: NumberField, word: str, limits: tuple[int, int] | None, default: int | None
) -> None:
    field.setEnabled(limits is not None)
    if limits is None:
        field.setToolTip(f"This camera's driver has no {word} to set.")
        field.setSpecialValueText("not settable")
        field.setRange(0, 0)
        return
    field.setSpecialValueText("")
    field.setRange(*limits)
    field.setToolTip(f"{number(limits[0])} {EN_DASH} {number(limits[1])}")
    if default is not None:
        field.set_value(default)
