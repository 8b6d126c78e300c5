"""`calibstudio qc`: the contract of PRODUCT section 4."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstudio.cli.main import run
from calibstudio.imaging.display_numbers import region_histogram
from calibstudio.services.qc_report import histogram_svg
from tests.helpers.simple_camera import SimpleCamera, write_fits

SMALL = (192, 256)


def write(path: Path, image: np.ndarray, kind: str, **cards: object) -> Path:
    settings = {"INSTRUME": "Cam", "GAIN": 100, "OFFSET": 30, "XBINNING": 1, "YBINNING": 1}
    return write_fits(path, image, IMAGETYP=kind, **settings, **cards)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    cam = SimpleCamera(1, shape=SMALL)
    for i in range(4):
        write(tmp_path / f"bias{i}.fits", cam.expose(), "Bias Frame", EXPTIME=0.0)
        write(tmp_path / f"flat{i}.fits", cam.expose(40_000), "Flat Field", EXPTIME=2.0, FILTER="L")
    return tmp_path


def called(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, Any, str]:
    code = run(["qc", "--json", *map(str, argv)])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def test_each_file_has_metrics_with_value_unit_verdict_and_why(session, capsys):
    code, document, err = called(capsys, *sorted(session.glob("bias*.fits")))

    assert code == 0
    assert err == ""
    assert [f["path"] for f in document["files"]] == [str(p) for p in sorted(session.glob("b*"))]
    file = document["files"][0]
    assert file["kind"] == "bias"
    assert file["verdict"] == "GOOD"
    assert set(file["metrics"]["level"]) == {"value", "unit", "verdict", "why"}
    assert file["metrics"]["level"]["value"] == pytest.approx(1000, abs=1)
    assert file["metrics"]["level"]["unit"] == "ADU"
    assert file["metrics"]["zeros"]["verdict"] == "GOOD"
    assert file["metrics"]["temperature_error"]["value"] is None
    assert "not measured" in file["metrics"]["temperature_error"]["why"]


def test_files_of_one_kind_are_also_judged_as_a_set(session, capsys):
    _, document, _ = called(capsys, *sorted(session.glob("bias*.fits")))

    together = document["set"]
    assert together["kind"] == "bias"
    # 2 pairs of 12 tiles: 0.4 %.
    read_noise = together["metrics"]["read_noise_adu"]
    assert read_noise["value"] == pytest.approx(9 / 1.4, rel=5 * 0.004)
    assert together["groups"][0]["frames"] == [str(p) for p in sorted(session.glob("bias*.fits"))]


def test_flats_and_biases_together_give_the_photon_transfer(session, capsys):
    _, document, _ = called(capsys, *sorted(session.glob("*.fits")))

    metrics = document["set"]["metrics"]
    # 2 pairs of 12 tiles of 4096: sqrt(2 / (24 * 4096)) = 0.45 %.
    assert metrics["egain"]["value"] == pytest.approx(1.4, rel=5 * 0.0045)
    assert metrics["egain"]["unit"] == "e⁻/ADU"
    assert metrics["read_noise"]["value"] == pytest.approx(9.0, rel=5 * 0.005)
    assert {g["kind"] for g in document["set"]["groups"]} == {"bias", "flat"}
    assert "level" not in metrics


def test_a_bad_frame_is_a_problem_and_exit_1(session, capsys):
    bad = write(
        session / "dark.fits", np.full(SMALL, 65_535, np.uint16), "Dark Frame", EXPTIME=60.0
    )

    code, document, err = called(capsys, bad, session / "bias0.fits")

    assert code == 1
    assert document["files"][1]["verdict"] == "BAD" or document["files"][0]["verdict"] == "BAD"
    assert "dark.fits is BAD: Saturated pixels 100\u202f%, limit 5\u202f%." in err
    assert "Cover the telescope" in err
    assert "Traceback" not in err


def test_a_warning_is_no_problem(session, capsys):
    tilted = SimpleCamera(2, shape=SMALL).expose(extra_adu=np.linspace(-15, 15, 256)[None, :])
    path = write(session / "tilted.fits", tilted, "Dark Frame", EXPTIME=60.0)

    code, document, err = called(capsys, path)

    assert (code, err) == (0, "")
    assert document["files"][0]["verdict"] == "WARN"
    (finding,) = document["files"][0]["findings"]
    assert finding["metric"] == "gradient"
    assert finding["cure"]


def test_a_broken_file_among_good_ones_is_said_and_the_rest_is_judged(session, capsys):
    broken = session / "broken.fits"
    broken.write_bytes((session / "bias0.fits").read_bytes()[:20_000])

    code, document, err = called(capsys, broken, session / "bias1.fits")

    assert code == 1
    assert "broken.fits" in err
    assert any(f["verdict"] == "GOOD" for f in document["files"])


def test_nothing_but_text_is_wrong_input(tmp_path, capsys):
    text = tmp_path / "text.fits"
    text.write_text("This is no frame.\n" * 200)

    code, document, err = called(capsys, text)

    assert code == 2
    assert document is None
    assert "text.fits" in err


def test_a_file_that_does_not_exist_is_wrong_usage(tmp_path, capsys):
    code, _, err = called(capsys, tmp_path / "nothing.fits")

    assert code == 2
    assert "nothing.fits" in err


def test_the_text_is_a_table_with_units_and_verdicts(session, capsys):
    assert run(["qc", str(session / "bias0.fits"), str(session / "flat0.fits")]) == 0

    out = capsys.readouterr().out
    assert "GOOD  bias" in out
    assert "Within the limit of" in out
    assert "ADU" in out


def test_many_files_are_one_line_each(session, capsys):
    assert run(["qc", str(session)]) == 0

    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if line.startswith("  GOOD  bias")]) == 4
    assert "4 frames together" in out


def test_darks_out_of_proportion_are_flagged(tmp_path, capsys):
    cam = SimpleCamera(3, shape=SMALL)
    for i in range(3):
        write(tmp_path / f"b{i}.fits", cam.expose(), "Bias Frame", EXPTIME=0.0)
        write(tmp_path / f"d10-{i}.fits", cam.expose(100), "Dark Frame", EXPTIME=10.0)
        write(tmp_path / f"d60-{i}.fits", cam.expose(1200), "Dark Frame", EXPTIME=60.0)

    code, document, err = called(capsys, tmp_path)

    # 20 e-/s against 10.
    assert document["set"]["metrics"]["dark_proportion"]["value"] == pytest.approx(2.0, rel=0.03)
    assert code == 1
    assert "Do not scale these darks" in err


class Page(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href") or name.startswith("on"):
                self.outside.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_page_without_script_and_with_everything_escaped(tmp_path, capsys):
    image = SimpleCamera(4, shape=SMALL).expose()
    evil = tmp_path / "<script>alert(1)<\u2044script> & 'x'.fits"
    write(evil, image, "Dark Frame", EXPTIME=60.0, FILTER="<img src=x onerror=alert(1)>")
    target = tmp_path / "out" / "report.html"

    code, document, _ = called(capsys, evil, "--report", target)

    assert code == 0
    assert document["report"] == str(target)
    page = Page()
    page.feed(target.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.outside == []
    assert {"svg", "table", "section"} <= set(page.tags)
    assert "<script>alert(1)" in page.text  # shown as text
    assert "Level" in page.text


def test_the_picture_of_a_report_counts_as_the_window_does():
    data = np.random.default_rng(8).poisson(900.0, (300, 400)).astype(np.uint16)
    data[0, :4] = 60_000

    found = histogram_svg(region_histogram(data), saturation_adu=1000.0)

    low, high = (
        int(v.replace("\u202f", ""))
        for v in re.findall(r">([\d\u202f]+) to ([\d\u202f]+) ADU", found)[0]
    )
    # Nearly all of the pixels, and not the four bright ones: 900 and five times its root.
    assert 700 < low < 800 and 990 < high < 1100
    assert f"median {np.median(data):.0f}" in found
    x = float(re.findall(r"x1='([\d.]+)'[^>]*class='saturation'", found)[0])
    assert x / 640 == pytest.approx((1000 - low) / (high - low), abs=0.02)
    heights = [
        160 - float(p.split(",")[1]) for p in re.findall(r"points='([^']*)'", found)[0].split()
    ]
    assert max(heights) == pytest.approx(152.0, abs=0.2)  # the fullest bin fills 95 %


def test_pictures_without_a_value_have_no_histogram_in_a_report():
    assert histogram_svg(region_histogram(np.full((5, 5), np.nan, np.float32))) == ""
    assert histogram_svg(region_histogram(np.empty((0, 3), np.uint16))) == ""


def test_a_report_replaces_nothing(session, tmp_path, capsys):
    target = tmp_path / "mine.html"
    target.write_text("precious")

    code, document, err = called(capsys, session / "bias0.fits", "--report", target)

    assert code == 2
    assert document is None
    assert "mine.html" in err
    assert target.read_text() == "precious"
    assert not list(tmp_path.glob(".*.part"))


def test_judging_needs_no_window_and_no_heavy_library(session):
    script = (
        "import sys\n"
        "from calibstudio.cli.main import run\n"
        f"code = run(['qc', {str(session / 'bias0.fits')!r}])\n"
        "heavy = {'PySide6', 'astropy', 'numba', 'scipy', 'photutils', 'sqlalchemy'}\n"
        "print(code, sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_bias_that_is_none_does_not_move_the_dark_signal(tmp_path, capsys):
    cam = SimpleCamera(5, shape=SMALL)
    for i in range(5):
        write(tmp_path / f"b{i}.fits", cam.expose(), "Bias Frame", EXPTIME=0.0)
        write(tmp_path / f"d{i}.fits", cam.expose(), "Dark Frame", EXPTIME=30.0)
    flat = cam.expose(light_e=20_000)
    write(tmp_path / "f0.fits", flat, "Bias Frame", EXPTIME=0.0)

    _, document, _ = called(capsys, tmp_path)

    # The noise of 49 152 pixels of five darks and biases, 9 / 1.4 ADU: 0.02 ADU of 30 s.
    assert document["set"]["metrics"]["dark_rate_adu"]["value"] == pytest.approx(0, abs=0.005)


def test_darks_that_are_biases_under_another_header_are_bad(session, capsys):
    from astropy.io import fits

    for i in range(3):
        pixels = fits.getdata(session / f"bias{i}.fits")
        write(session / f"dark{i}.fits", pixels, "Dark Frame", EXPTIME=60.0)

    code, document, err = called(capsys, *sorted(session.glob("*.fits")))

    assert code == 1
    verdicts = {Path(f["path"]).name: f["verdict"] for f in document["files"]}
    assert {verdicts[f"dark{i}.fits"] for i in range(3)} == {"BAD"}
    assert {verdicts[f"bias{i}.fits"] for i in range(3)} == {"GOOD"}
    assert (
        "dark0.fits is BAD: A copy of bias0.fits under another header (bias): "
        "every pixel is the same." in err
    )
    groups = {g["kind"]: g["verdict"] for g in document["set"]["groups"]}
    assert groups["dark"] == "BAD"
    assert groups["bias"] == "GOOD"


def test_a_light_whose_name_says_flat_is_a_warning(tmp_path, capsys):
    image = SimpleCamera(6, shape=SMALL).expose(5_000)
    path = write(tmp_path / "flat_0001.fits", image, "Light Frame", EXPTIME=60.0)

    code, document, err = called(capsys, path)

    assert (code, err) == (0, "")
    (file,) = document["files"]
    assert file["verdict"] == "WARN"
    (finding,) = file["findings"]
    assert finding["title"] == "kind in doubt"
    assert "Header says light" in finding["what"]
    assert "says flat" in finding["what"]


def test_what_holds_for_a_set_is_said_once(session, capsys):
    assert run(["qc", *map(str, sorted(session.glob("flat*.fits"))[:3])]) == 0

    out = capsys.readouterr().out
    assert out.count("The bias level is not known") == 1
    assert "3 frames together" in out


def test_the_page_says_it_once_as_well(session, tmp_path, capsys):
    target = tmp_path / "out" / "page.html"

    code, _, _ = called(capsys, *sorted(session.glob("flat*.fits")), "--report", target)

    assert code == 0
    assert target.read_text(encoding="utf-8").count("The bias level is not known") == 1


def test_one_frame_is_not_together(tmp_path, capsys):
    cam = SimpleCamera(7, shape=SMALL)
    for t in (10, 60):
        write(tmp_path / f"d{t}.fits", cam.expose(t), "Dark Frame", EXPTIME=float(t))

    run(["qc", str(tmp_path)])

    out = capsys.readouterr().out
    assert "1 frame together" not in out
    assert ", 1 frame\n" in out
