"""Raw frames on disk: pixels exactly as the camera delivered them, and all that is known of them.

Unsigned 16-bit values are stored as the standard asks (big-endian, BZERO 32768), rows in the order
of the sensor. The writer is our own because a frame of 24 megapixels has to be on its way to the
disk in a tenth of a second.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio import __version__
from calibstudio.domain.capture import FrameNotes
from calibstudio.domain.equipment import CameraInfo, CoverState, Frame, Observatory, Region
from calibstudio.domain.errors import FileProblemError, WriteProblemError
from calibstudio.domain.kinds import IMAGETYP
from calibstudio.store.card_writer import (
    BLOCK,
    CARD,
    CardValue,
    card,
    with_checksums,
)

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_SIGN_BIT = np.uint16(0x8000)
_READ_BYTES = 1024 * BLOCK

HeaderItem = tuple[str, CardValue | None, str]
"""Keyword, value, comment. A value of None is not written: missing is missing."""


def header_items(frame: Frame, notes: FrameNotes) -> list[HeaderItem]:
    """Return everything a raw file says, in order, SBFITSEXT words first where they exist."""
    info = notes.observatory.camera.info
    return [
        ("IMAGETYP", IMAGETYP[notes.kind], "kind of frame"),
        *_exposure_items(frame, notes),
        *_camera_items(frame, info, notes),
        *_temperature_items(frame, notes),
        *_geometry_items(frame, info),
        *_place_items(notes.observatory),
        *_around_items(notes),
        *_light_items(notes, info),
        *_own_items(frame, notes),
    ]


def stored_bayer(info: CameraInfo, region: Region | None, binning: int) -> str | None:
    """Return the colour pattern of the stored pixels, first row first; None for none.

    A region that starts at an odd column or row shifts the pattern; binning mixes the colours.
    """
    if info.bayer is None or binning != 1 or len(info.bayer) != 4:
        return None
    x, y = (region.x, region.y) if region is not None else (0, 0)
    rows = (info.bayer[:2], info.bayer[2:])
    top, bottom = rows[y % 2], rows[(y + 1) % 2]
    if x % 2:
        top, bottom = top[::-1], bottom[::-1]
    return top + bottom


def stored_bytes(data: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return the data unit: big-endian signed values (value - 32768), padded to whole blocks."""
    if data.dtype != np.uint16 or data.ndim != 2:
        raise ValueError(f"raw frames are two-dimensional uint16, not {data.shape} {data.dtype}")
    padded = -(-data.nbytes // BLOCK) * BLOCK
    out = np.zeros(padded // 2, dtype=np.uint16)
    used = out[: data.size].reshape(data.shape)
    # Subtracting 32768 modulo 65536 flips the sign bit.
    np.bitwise_xor(data, _SIGN_BIT, out=used)
    if np.little_endian:
        used.byteswap(inplace=True)
    return out.view(np.uint8)


def encode_frame(frame: Frame, notes: FrameNotes) -> tuple[bytes, NDArray[np.uint8]]:
    """Return header and data unit of a raw file, checksums included."""
    ny, nx = frame.data.shape
    data = stored_bytes(np.ascontiguousarray(frame.data))
    cards = [
        card("SIMPLE", True, "FITS 4.0"),
        card("BITPIX", 16),
        card("NAXIS", 2),
        card("NAXIS1", nx, "columns"),
        card("NAXIS2", ny, "rows"),
        card("BSCALE", 1),
        card("BZERO", 32768, "stored values are unsigned"),
        card("BUNIT", "adu"),
        *(card(k, v, c) for k, v, c in header_items(frame, notes) if v is not None),
    ]
    return with_checksums(cards, data), data


def write_raw(path: Path, header: bytes, data: NDArray[np.uint8]) -> None:
    """Write header and data to a file that must not exist yet.

    Raises
    ------
    OSError
        From the disk.
    """
    with path.open("xb", buffering=0) as handle:
        for view in (memoryview(header), data.data):
            while view:
                view = view[handle.write(view) :]


def check_raw(path: Path, header: bytes, data: NDArray[np.uint8]) -> None:
    """Read a file back and compare it with what was to be written.

    Raises
    ------
    WriteProblemError
        If the file does not hold what it should.
    """
    if not _holds(path, header, data):
        raise WriteProblemError(
            f"{path.name} was written, but does not read back as it should.",
            hint="Check the disk or the network share, then take the frame again.",
        )


def _holds(path: Path, header: bytes, data: NDArray[np.uint8]) -> bool:
    """Whether a file is exactly header and data; read in pieces, so that memory is reused."""
    buffer = np.empty(_READ_BYTES, dtype=np.uint8)
    with path.open("rb", buffering=0) as handle:
        if handle.read(len(header)) != header:
            return False
        for start in range(0, data.size, _READ_BYTES):
            wanted = data[start : start + _READ_BYTES]
            piece = buffer[: wanted.size]
            filled = 0
            while filled < piece.size and (n := handle.readinto(piece[filled:].data)):
                filled += n
            if filled < piece.size or not np.array_equal(piece.view("u8"), wanted.view("u8")):
                return False
        return not handle.read(1)


def with_cards(raw: bytes, changes: list[HeaderItem], notes: list[bytes]) -> bytes:
    """Return a raw file's bytes with cards replaced or added, and its checksums made anew.

    Raises
    ------
    FileProblemError
        If the bytes are no FITS file as we write it.
    """
    end = _end_of_cards(raw)
    cards = [raw[at : at + CARD] for at in range(0, end, CARD)]
    replaced = {f"{keyword:8}".encode() for keyword, _, _ in changes}
    replaced |= {b"CHECKSUM", b"DATASUM "}
    kept: list[bytes] = []
    dropping = False
    for one in cards:
        dropping = one[:8] in replaced or (dropping and one[:8] == b"CONTINUE")
        if not dropping:
            kept.append(one)
    kept += [card(k, v, c) for k, v, c in changes if v is not None]
    size = -(-(end + CARD) // BLOCK) * BLOCK
    data = np.frombuffer(raw, np.uint8, offset=size)
    return with_checksums([*kept, *notes], data) + raw[size:]


def utc_text(moment: datetime) -> str:
    """Return a moment as FITS writes it, with milliseconds: ``2026-04-17T04:52:08.123``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")


def local_text(moment: datetime, zone: str | None) -> str | None:
    """Return a moment in the site's own time; None when its time zone is not known."""
    if zone is None:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return local.replace(tzinfo=None).isoformat(timespec="milliseconds")


def mjd(moment: datetime) -> float:
    """Return the modified Julian date, to about a microsecond."""
    return round((moment - MJD_EPOCH) / timedelta(days=1), 11)


def _exposure_items(frame: Frame, notes: FrameNotes) -> list[HeaderItem]:
    start = frame.started_at.astimezone(UTC)
    end = start + timedelta(seconds=frame.exposure_s)
    site = notes.observatory.site
    return [
        ("EXPTIME", frame.exposure_s, "[s] as the camera did it"),
        ("EXPOSURE", frame.exposure_s, "[s]"),
        ("DATE-OBS", utc_text(start), "start of exposure, UTC"),
        ("DATE-END", utc_text(end), "end of exposure, UTC"),
        ("DATE-LOC", local_text(start, site.timezone if site else None), "start, local time"),
        ("MJD-OBS", mjd(start), "[d] start of exposure, UTC"),
        ("TIMESYS", "UTC", ""),
    ]


def _camera_items(frame: Frame, info: CameraInfo, notes: FrameNotes) -> list[HeaderItem]:
    conversion = frame.conversion
    stated = info.max_adu if info.saturation_adu is None else info.saturation_adu
    saturation = notes.saturation_adu if notes.saturation_adu is not None else stated
    return [
        ("INSTRUME", info.name, "camera"),
        ("SERIALNO", info.serial, "serial number of the camera"),
        ("CAMDRV", info.driver or None, "driver"),
        ("GAIN", frame.gain, "camera setting, read back"),
        ("OFFSET", frame.offset, "camera setting, read back"),
        ("EGAIN", conversion.e_per_adu if conversion else None, "[e-/adu] as the driver says"),
        ("RDNOISE", conversion.read_noise_e if conversion else None, "[e-] as the driver says"),
        ("FULLWELL", conversion.full_well_e if conversion else None, "[e-] as the driver says"),
        ("READOUTM", frame.readout_mode, "read-out mode"),
        ("SATURATE", saturation, "[adu] saturated from here"),
    ]


def _temperature_items(frame: Frame, notes: FrameNotes) -> list[HeaderItem]:
    return [
        ("SET-TEMP", _rounded(frame.set_c, 3), "[deg C] cooler set point"),
        ("CCD-TEMP", _rounded(frame.sensor_c, 3), "[deg C] sensor"),
        ("CSTEMP0", _rounded(notes.sensor_before_c, 3), "[deg C] sensor before the exposure"),
        ("COOLPOWR", _rounded(frame.cooler_power_pct, 2), "[%] cooler power"),
    ]


def _geometry_items(frame: Frame, info: CameraInfo) -> list[HeaderItem]:
    binning = frame.request.binning
    region = frame.request.region
    pixel_um = None if info.pixel_size_um is None else _rounded(info.pixel_size_um * binning, 4)
    bayer = stored_bayer(info, region, binning)
    return [
        ("XBINNING", binning, ""),
        ("YBINNING", binning, ""),
        ("XPIXSZ", pixel_um, "[um] binned"),
        ("YPIXSZ", pixel_um, "[um] binned"),
        ("XORGSUBF", (region.x if region else 0) // binning, "first column, binned pixels"),
        ("YORGSUBF", (region.y if region else 0) // binning, "first row, binned pixels"),
        ("BAYERPAT", bayer, "colours of the stored pixels"),
        ("XBAYROFF", 0 if bayer else None, "pattern starts at the first column"),
        ("YBAYROFF", 0 if bayer else None, "pattern starts at the first row"),
        ("ROWORDER", "TOP-DOWN", "first stored row is the sensor's first"),
    ]


def _place_items(observatory: Observatory) -> list[HeaderItem]:
    optics, site = observatory.optics, observatory.site
    return [
        ("TELESCOP", optics.telescope or None, ""),
        ("FOCALLEN", optics.focal_length_mm, "[mm]"),
        ("APTDIA", optics.aperture_mm, "[mm]"),
        ("OBSERVAT", (site.name if site else observatory.name) or None, ""),
        ("SITELAT", site.latitude_deg if site else None, "[deg] north positive"),
        ("SITELONG", site.longitude_deg if site else None, "[deg] east positive"),
        ("SITEELEV", site.elevation_m if site else None, "[m]"),
    ]


def _around_items(notes: FrameNotes) -> list[HeaderItem]:
    rotator, focuser = notes.observatory.rotator, notes.observatory.focuser
    return [
        ("ROTATANG", _rounded(notes.rotator_deg, 3), "[deg] rotator angle, read back"),
        ("ROTNAME", rotator.name if rotator else None, "rotator"),
        ("FOCUSPOS", notes.focus_position, "[steps] focuser, read back"),
        ("FOCNAME", focuser.name if focuser else None, "focuser"),
    ]


def _light_items(notes: FrameNotes, info: CameraInfo) -> list[HeaderItem]:
    cover = None if notes.cover in (None, CoverState.NONE) else str(notes.cover).upper()
    return [
        ("FILTER", notes.filter, ""),
        ("CSLIGHT", notes.kind.needs_light, "light flag given to the camera"),
        ("CSCOVER", cover, "cover while exposing"),
        ("CSPANEL", notes.panel_brightness, "panel brightness, 0 is off"),
        ("CSPANNAM", _panel_name(notes), "panel"),
        ("CSSHUT", info.has_shutter, "camera has a shutter"),
    ]


def _panel_name(notes: FrameNotes) -> str | None:
    panel = notes.observatory.panel
    return None if panel is None else panel.info.name


def _own_items(frame: Frame, notes: FrameNotes) -> list[HeaderItem]:
    simulated = notes.observatory.is_simulated or notes.observatory.camera.info.is_simulated
    return [
        ("CSREQEXP", frame.request.exposure_s, "[s] exposure asked for"),
        ("CSNUMBER", notes.number, "number in its step"),
        ("CSSEQ", notes.sequence or None, "sequence"),
        ("CSSEQID", notes.sequence_id or None, "identity of the sequence"),
        ("CSSTEP", notes.step_id or None, "step of the sequence"),
        ("CSINDEX", notes.index or None, "number in its sequence, test frames counted"),
        ("CSSEARCH", True if notes.is_search else None, "taken by the search of the level"),
        ("CSLEVEL", _rounded(notes.level_adu, 3), "[adu] robust level when it was taken"),
        ("CSSIMUL", True if simulated else None, "simulated frame, not of the sky"),
        ("QCFLAG", str(notes.verdict) if notes.verdict else None, "verdict when it was taken"),
        ("QCREASON", notes.reason or None, ""),
        ("SWCREATE", f"CalibStudio {__version__}", ""),
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    """Return a reading without the noise of its conversion; NaN and infinity are missing."""
    if value is None or not np.isfinite(value):
        return None
    return round(float(value), digits)


def _end_of_cards(raw: bytes) -> int:
    for at in range(0, len(raw) - CARD + 1, CARD):
        if raw[at : at + CARD].rstrip() == b"END":
            return at
    raise FileProblemError("The file has no FITS header.", hint="Take the frame again.")
