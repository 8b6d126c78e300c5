"""How the pixels of an XISF image are stored, and how they are unpacked (XISF 1.0, section 10).

Nothing a header says about sizes is believed before it fits the picture: a block is unpacked to
exactly the bytes that its pixels need, and not one more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import cut_off
from calibstudio.store.pixels_file import PixelFile
from calibstudio.store.xisf_header import XisfImage

WHITE = 65535.0
"""ADU at white, for floating point: what 16 bits would have (PixInsight's own reading)."""
SAMPLES: Mapping[str, str] = {
    "UInt8": "u1",
    "UInt16": "u2",
    "UInt32": "u4",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
}
_HASHES = {
    "sha1": "sha1",
    "sha-1": "sha1",
    "sha256": "sha256",
    "sha-256": "sha256",
    "sha512": "sha512",
    "sha-512": "sha512",
    "sha3-256": "sha3_256",
    "sha3-512": "sha3_512",
}
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Packing:
    """How a block is compressed."""

    codec: str
    size: int
    """Bytes when unpacked."""
    item: int
    """Bytes of an item where they were shuffled; 0 where they were not."""
    parts: tuple[tuple[int, int], ...]
    """(bytes here, bytes unpacked) of each part of a long block; empty: one part."""


@dataclass(frozen=True, slots=True)
class Block:
    """The pixels of one image in the file."""

    shape: tuple[int, int]
    channels: int
    dtype: np.dtype[Any]
    """As stored, with its byte order."""
    interleaved: bool
    """Channels of a pixel beside one another, not plane after plane."""
    place: tuple[int, int] | None
    """(offset, bytes) in the file; None when the pixels lie in the header."""
    text: str
    encoding: str
    packing: Packing | None
    checksum: tuple[str, str] | None
    """(algorithm, hexadecimal digest) of the bytes as they are stored."""

    @property
    def n_bytes(self) -> int:
        """Bytes of all its pixels, unpacked."""
        return self.shape[0] * self.shape[1] * self.channels * self.dtype.itemsize


def broken(label: str, what: str) -> FileProblemError:
    """Say that a file is damaged, and how."""
    return FileProblemError(f"{label} is broken: {what}.", hint="Copy or save it again.")


def block_of(image: XisfImage, label: str) -> Block:
    """Understand where and how the pixels of an image are stored.

    Raises
    ------
    FileProblemError
        If they lie in another file, are of a kind that is no picture, or the header lies.
    """
    attributes = image.attributes
    if image.shape is None or len(image.geometry) != 3 or image.channels < 1:
        size = " × ".join(str(n) for n in image.geometry)
        raise FileProblemError(
            f"{label} is no flat picture: its geometry is {size or 'not given'}.",
            hint="Only pictures with rows and columns can be used.",
        )
    sample = SAMPLES.get(image.sample_format)
    if sample is None:
        raise FileProblemError(
            f"{label} holds pixels of the type {image.sample_format[:40]!r}, which are no picture.",
            hint="Save it with integers or floating point.",
        )
    order = ">" if attributes.get("byteOrder", "").strip().lower() == "big" else "<"
    kind = attributes.get("location", "").split(":")
    about = {**attributes, **image.data_attributes} if kind[0] == "embedded" else attributes
    encoding = kind[1] if kind[0] == "inline" and len(kind) > 1 else about.get("encoding", "")
    if image.attachment is None and kind[0] not in ("embedded", "inline"):
        raise FileProblemError(
            f"{label} keeps its pixels elsewhere ({attributes.get('location', 'nowhere')[:60]}).",
            hint="Save it as one XISF file.",
        )
    block = Block(
        image.shape,
        image.channels,
        np.dtype(order + sample),
        attributes.get("pixelStorage", "Planar").strip().lower() == "normal",
        image.attachment,
        image.data,
        encoding,
        _packing(about, label),
        _checksum(about, label),
    )
    _check_sizes(block, label)
    return block


def _check_sizes(block: Block, label: str) -> None:
    said = None if block.packing is None else block.packing.size
    if said is None and block.place is not None:
        said = block.place[1]
    if said is not None and said != block.n_bytes:
        raise broken(
            label,
            f"its header says {said} bytes of pixels, and {block.n_bytes} are needed for its size",
        )


def _packing(attributes: Mapping[str, str], label: str) -> Packing | None:
    text = attributes.get("compression", "").strip()
    if not text:
        return None
    codec, *numbers = text.split(":")
    name, _, shuffled = codec.strip().lower().partition("+")
    if name not in _UNPACKERS or shuffled not in ("", "sh"):
        raise FileProblemError(
            f"{label} is compressed by {codec[:40]!r}, which is not known here.",
            hint="Save it uncompressed, or with zlib, lz4 or zstd.",
        )
    if not 1 <= len(numbers) <= 2 or not all(_is_count(n) for n in numbers):
        raise broken(label, f"its compression says {text[:60]!r}")
    item = int(numbers[1]) if shuffled and len(numbers) == 2 else 1 if shuffled else 0
    if shuffled and not 1 <= item <= 16:
        raise broken(label, f"its compression says {text[:60]!r}")
    parts = tuple(_pair(p, label) for p in attributes.get("subblocks", "").split(":") if p)
    return Packing(name, int(numbers[0]), item, parts)


def _pair(text: str, label: str) -> tuple[int, int]:
    numbers = text.split(",")
    if len(numbers) != 2 or not all(_is_count(n) for n in numbers):
        raise broken(label, f"a part of its pixels says {text[:40]!r}")
    return int(numbers[0]), int(numbers[1])


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _checksum(attributes: Mapping[str, str], label: str) -> tuple[str, str] | None:
    text = attributes.get("checksum", "").strip()
    if not text:
        return None
    name, _, digest = text.partition(":")
    algorithm = _HASHES.get(name.strip().lower())
    if algorithm is None:
        raise broken(label, f"its checksum is of an unknown kind, {name[:20]!r}")
    return algorithm, digest.strip().lower()


def check_attached(block: Block, file: PixelFile) -> None:
    """Check that the whole block is there and, where it says so, is the one that was written.

    Raises
    ------
    FileProblemError
        If it is cut off or was changed.
    """
    if block.place is None:
        return
    offset, size = block.place
    if offset + size > file.size:
        raise FileProblemError(
            f"{file.label} {cut_off(file.size, offset + size)}",
            hint="Copy it again; it is left out until then.",
        )
    if block.checksum is None:
        return
    digest = hashlib.new(block.checksum[0])
    for at in range(offset, offset + size, _CHUNK):
        digest.update(file.read_at(at, min(_CHUNK, offset + size - at)))
    _compare(digest.hexdigest(), block, file.label)


def _compare(digest: str, block: Block, label: str) -> None:
    if block.checksum is not None and digest != block.checksum[1]:
        raise broken(label, "its pixels are not those that its checksum was made of")


def unpack(block: Block, file: PixelFile) -> NDArray[Any]:
    """Return all pixels, shape (channels, ny, nx), in native byte order.

    The block has been checked by `check_attached` where it lies behind the header.

    Raises
    ------
    FileProblemError
        If it cannot be unpacked to exactly its pixels.
    """
    raw = _stored_bytes(block, file)
    if block.packing is not None:
        raw = _unpacked(raw, block.packing, file.label)
    if len(raw) != block.n_bytes:
        raise broken(file.label, f"{len(raw)} of {block.n_bytes} bytes of its pixels are there")
    values = np.frombuffer(raw, block.dtype)
    ny, nx = block.shape
    if block.interleaved:
        values = np.moveaxis(values.reshape(ny, nx, block.channels), 2, 0)
    else:
        values = values.reshape(block.channels, ny, nx)
    return values.astype(block.dtype.newbyteorder("="), copy=False)


def _stored_bytes(block: Block, file: PixelFile) -> bytes:
    if block.place is not None:
        return file.read_at(*block.place)
    text = "".join(block.text.split())
    try:
        if block.encoding == "base64":
            raw = base64.b64decode(text, validate=True)
        elif block.encoding in ("hex", "base16"):
            raw = bytes.fromhex(text)
        else:
            raise broken(file.label, f"its pixels are written as {block.encoding[:20]!r}")
    except (binascii.Error, ValueError) as error:
        raise broken(file.label, "the pixels in its header cannot be read") from error
    if block.checksum is not None:
        _compare(hashlib.new(block.checksum[0], raw).hexdigest(), block, file.label)
    return raw


def _unpacked(raw: bytes, packing: Packing, label: str) -> bytes:
    parts = packing.parts or ((len(raw), packing.size),)
    if sum(p[0] for p in parts) != len(raw) or sum(p[1] for p in parts) != packing.size:
        raise broken(label, "the parts of its pixels do not fit their whole")
    done, at = [], 0
    for size, unpacked in parts:
        try:
            part = _UNPACKERS[packing.codec](raw[at : at + size], unpacked)
        except Exception as error:  # each library raises its own
            raise broken(label, "its compressed pixels cannot be unpacked") from error
        if len(part) != unpacked:
            raise broken(label, "its compressed pixels unpack to another size than it says")
        done.append(part)
        at += size
    whole = done[0] if len(done) == 1 else b"".join(done)
    return _unshuffled(whole, packing.item) if packing.item > 1 else whole


def _unshuffled(raw: bytes, item: int) -> bytes:
    """Put the bytes of every item together again; what is left over at the end stays there."""
    n = len(raw) // item
    planes = np.frombuffer(raw, np.uint8, n * item).reshape(item, n)
    return np.ascontiguousarray(planes.T).tobytes() + raw[n * item :]


def _zlib(raw: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(raw, size + 1)


def _lz4(raw: bytes, size: int) -> bytes:
    import lz4.block

    unpacked: bytes = lz4.block.decompress(raw, uncompressed_size=size)
    return unpacked


def _zstd(raw: bytes, size: int) -> bytes:
    import zstandard

    # What a frame says about its own size would be allocated without asking.
    said = zstandard.get_frame_parameters(raw).content_size
    if said not in (size, zstandard.CONTENTSIZE_UNKNOWN):
        raise ValueError("another size")
    packer = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return packer.decompress(raw, max_output_size=size)


_UNPACKERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "zlib": _zlib,
    "lz4": _lz4,
    "lz4hc": _lz4,
    "zstd": _zstd,
}
