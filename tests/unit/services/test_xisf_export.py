"""Masters as XISF: the same pixels and words, and the same bytes each time."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from calibstudio.cli.main import run
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Recipe
from calibstudio.services.import_frames import scan_and_group
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from calibstudio.services.xisf_export import export_xisf
from calibstudio.store.headers import read_header
from calibstudio.store.master_read import read_master
from calibstudio.store.pixels import read_image
from tests.helpers.night import Camera, take

XISF = "{http://www.pixinsight.com/xisf}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the masters of this module lie."""
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def masters(place: Path):
    night = place / "night"
    camera = Camera()
    take(night, camera, "bias", 4)
    take(night, camera, "dark", 4, 10.0)
    grouping, _ = scan_and_group(JobContext(), [night])
    with Library.open(place / "library") as library:
        built = build_masters(JobContext(), grouping, grouping.headers, library, Recipe())
        return {b.record.kind: b.record for b in built.masters}


def test_a_dark_as_another_program_reads_it(masters, tmp_path: Path) -> None:
    out = tmp_path / "dark.xisf"
    assert export_xisf(masters["dark"], out) == (out,)

    raw = out.read_bytes()
    assert raw[:8] == b"XISF0100"
    length = int.from_bytes(raw[8:12], "little")
    image = ET.fromstring(raw[16 : 16 + length]).find(f"{XISF}Image")
    where, at, size = image.attrib["location"].split(":")
    block = raw[int(at) : int(at) + int(size)]
    assert where == "attachment" and int(at) % 4096 == 0 and len(raw) == int(at) + int(size)
    assert image.attrib["checksum"] == f"sha-1:{hashlib.sha1(block).hexdigest()}"
    assert image.attrib["imageType"] == "MasterDark"
    assert image.attrib["bounds"] == "0:65535"
    nx, ny, channels = (int(n) for n in image.attrib["geometry"].split(":"))
    expected = read_master(masters["dark"].path).image()
    assert channels == 1
    np.testing.assert_array_equal(np.frombuffer(block, "<f4").reshape(ny, nx), expected)
    words = {k.attrib["name"]: k.attrib["value"] for k in image.findall(f"{XISF}FITSKeyword")}
    assert words["IMAGETYP"].strip("' ").upper() == "MASTER DARK"
    assert float(words["EXPTIME"]) == 10.0


def test_our_own_reader_reads_it_back(masters, tmp_path: Path) -> None:
    out = tmp_path / "bias.xisf"
    export_xisf(masters["bias"], out)
    np.testing.assert_array_equal(read_image(out), read_master(masters["bias"].path).image())
    header = read_header(out)
    assert (header.kind_word, header.gain) == (
        "master bias",
        read_header(masters["bias"].path).gain,
    )


def test_the_same_master_gives_the_same_bytes_and_nothing_is_replaced(
    masters, tmp_path: Path
) -> None:
    out = tmp_path / "a.xisf"
    export_xisf(masters["bias"], out)
    first = out.read_bytes()
    export_xisf(masters["bias"], out)
    assert out.read_bytes() == first
    with pytest.raises(UsageError, match="xisf"):
        export_xisf(masters["bias"], tmp_path / "a.fits")


def test_from_the_command_line(masters, place: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "cli.xisf"
    library = str(place / "library")
    words = ["library", "export", masters["bias"].id, "--as", "xisf", "-o", str(out)]
    code = run([*words, "--library", library])
    assert code == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert out.is_file()
