"""Builders of master files: a valid one, with as many differences as a test asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.store.master_cards import Combined, MasterContent
from calibstudio.store.master_fits import Detector, write_master

START = datetime(2025, 6, 1, 2, 53, 9, 120_000, tzinfo=UTC)
ASSESSMENT = Assessment(
    (
        Metric("level", "Level", 1355.25, "ADU", None, "", decimals=1),
        Metric("noise", "Noise", 12.9, "ADU", Verdict.WARN, "limit 10\u202fADU", 10.0, 20.0),
        Metric("gain", "Gain", None, "e\u2212/ADU", None, "Gain not measured: needs flats."),
    ),
    (Finding(Verdict.WARN, "noise", "Noise 12.9\u202fADU, limit 10\u202fADU.", "a", "b", "noise"),),
)


def make_inputs() -> tuple[InputRecord, ...]:
    used = tuple(
        InputRecord(
            f"dark {i}.fits",
            f"{i:064x}",
            START + timedelta(seconds=12 * i),
            10.0,
            -25.0 - 0.01 * i,
            1356.0 + i,
            1.0,
            0.001 * i,
        )
        for i in range(4)
    )
    left_out = InputRecord(
        "d\u03b1rk\\9.fits", "f" * 64, used=False, reason="Light leak: 30\u202fADU"
    )
    return (*used, left_out)


def make_content(**changes: object) -> MasterContent:
    content = MasterContent(
        kind="dark flat",
        key={
            "camera": "Kamera Zwölf",
            "exposure_s": 10.0,
            "gain": 100.0,
            "binning": (2, 2),
            "shape": (6, 8),
            "night": date(2025, 5, 31),
        },
        values={
            "camera": "Kamera Zwölf",
            "exposure_s": 10.0,
            "gain": 100.0,
            "offset": 8.0,
            "sensor_temp_c": -25.015,
            "binning": (2, 2),
            "region": (4, 2, 8, 6),
            "night": date(2025, 5, 31),
            "filter": "Hα",
            "pixel_size_um": 7.52,
        },
        ranges={"sensor_temp_c": (-25.03, -25.0)},
        inputs=make_inputs(),
        combined=Combined("mean", "mad", 5.0, 5.0),
        unit="adu",
        bias_subtracted=False,
        used=(UsedMaster("bias", "master_bias.fits", "a" * 64),),
        copied=(("ROWORDER", "TOP-DOWN", "order of the rows"), ("SITELAT", 32.78, "[deg]")),
        infobits=1,
        bit_meanings=("More than 1 % of the pixels kept fewer than 10 values.",),
        assessment=ASSESSMENT,
        software="CalibStudio 0.1.0",
        history=("4 of 5 frames were combined.", "d\u03b1rk 9.fits was left out."),
    )
    return replace(content, **changes)  # type: ignore[arg-type]


def make_detector(name: str = "", seed: int = 1, **changes: object) -> Detector:
    rng = np.random.default_rng(seed)
    detector = Detector(
        name,
        rng.normal(1356, 3, (6, 8)).astype(np.float32),
        rng.uniform(1, 2, (6, 8)).astype(np.float32),
        rng.integers(3, 5, (6, 8)).astype(np.uint16),
    )
    return replace(detector, **changes)  # type: ignore[arg-type]


def make_master_file(
    path: Path,
    *,
    kind: str = "dark",
    seed: int = 1,
    verdict: Verdict = Verdict.GOOD,
    **values: object,
) -> Path:
    """Write a small master; ``values`` go by JSON word into its key and its values."""
    common = {
        "camera": "Simulated 24",
        "exposure_s": 10.0,
        "gain": 100.0,
        "offset": 8.0,
        "binning": (1, 1),
        "set_temp_c": -10.0,
        "night": date(2025, 5, 31),
        **values,
    }
    known = {word: value for word, value in common.items() if value is not None}
    metric = Metric("noise", "Noise", 3.0 + seed, "ADU", verdict, "limit 10 ADU")
    findings = ()
    if verdict is not Verdict.GOOD:
        findings = (Finding(verdict, "noise", "Noise 12 ADU, limit 10 ADU.", "a", "b", "noise"),)
    content = make_content(
        kind=kind,
        key=known,
        values=known,
        ranges={},
        used=(),
        assessment=Assessment((metric,), findings),
    )
    return write_master(path, content, [make_detector(seed=seed)]).path
