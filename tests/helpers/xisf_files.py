"""XISF files written by the standard's words (XISF 1.0), apart from the program's own reader."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from pathlib import Path

import lz4.block
import numpy as np
import zstandard

SAMPLES = {"u1": "UInt8", "u2": "UInt16", "u4": "UInt32", "f4": "Float32", "f8": "Float64"}


def packed(raw: bytes, codec: str, item: int) -> tuple[bytes, str]:
    """Return the stored block and the value of its ``compression`` attribute."""
    name, _, shuffled = codec.partition("+")
    size = len(raw)
    if shuffled:
        whole = size // item * item
        raw = bytes(b for k in range(item) for b in raw[k:whole:item]) + raw[whole:]
    pack = {
        "zlib": zlib.compress,
        "lz4": lambda r: lz4.block.compress(r, store_size=False),
        "lz4hc": lambda r: lz4.block.compress(r, mode="high_compression", store_size=False),
        "zstd": zstandard.ZstdCompressor().compress,
    }[name]
    return pack(raw), f"{codec}:{size}:{item}" if shuffled else f"{codec}:{size}"


def xisf_file(
    path: Path,
    data: np.ndarray,
    *,
    codec: str = "",
    storage: str = "Planar",
    order: str = "little",
    checksum: str = "",
    embedded: bool = False,
    keywords: dict[str, str] | None = None,
    inner: str = "",
    **attributes: str,
) -> Path:
    """Write one image of shape (ny, nx) or (channels, ny, nx).

    ``attributes`` replace those that are right, to make a file that lies.
    """
    cube = data[None] if data.ndim == 2 else data
    channels, ny, nx = cube.shape
    sample = data.dtype.str[1:]
    stored = np.moveaxis(cube, 0, 2) if storage == "Normal" else cube
    raw = stored.astype(("<" if order == "little" else ">") + sample).tobytes()
    said = {
        "geometry": f"{nx}:{ny}:{channels}",
        "sampleFormat": SAMPLES[sample],
        "colorSpace": "RGB" if channels == 3 else "Gray",
        "pixelStorage": storage,
        "byteOrder": order,
    }
    if sample[0] == "f":
        said["bounds"] = "0:1"
    about: dict[str, str] = {}
    if codec:
        raw, about["compression"] = packed(raw, codec, data.dtype.itemsize)
    if checksum:
        name, _, digest = checksum.partition(":")
        digest = digest or hashlib.new(name.replace("-", ""), raw).hexdigest()
        about["checksum"] = f"{name}:{digest}"
    cards = "".join(
        f'<FITSKeyword name="{k}" value="{v}" comment=""/>' for k, v in (keywords or {}).items()
    )
    if embedded:
        text = base64.b64encode(raw).decode()
        inside = " ".join(f'{k}="{v}"' for k, v in about.items())
        inner += f'<Data encoding="base64" {inside}>{text}</Data>'
        said["location"] = "embedded"
    else:
        said |= {"location": f"attachment:4096:{len(raw)}", **about}
    said |= attributes
    image = " ".join(f'{k}="{v}"' for k, v in said.items())
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<xisf version="1.0" xmlns="http://www.pixinsight.com/xisf">'
        f"<Image {image}>{cards}{inner}</Image></xisf>"
    ).encode()
    start = b"XISF0100" + struct.pack("<II", len(xml), 0) + xml
    if not embedded:
        assert len(start) <= 4096
        start = start.ljust(4096, b"\0") + raw
    path.write_bytes(start)
    return path
