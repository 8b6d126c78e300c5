"""The table of metrics: label, unit and decimals; and per kind what to say and do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """How a metric is called and written."""

    label: str
    unit: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a metric beyond its limit usually means, and what helps."""

    title: str
    cause: str = ""
    cure: str = ""


ADU, PERCENT, ELECTRONS, CELSIUS = "ADU", "%", "e\u207b", "°C"

METRICS: dict[str, Words] = {
    "level": Words("Level", ADU, 1),
    "level_r": Words("Level R", ADU, 1),
    "level_g": Words("Level G", ADU, 1),
    "level_g1": Words("Level G1", ADU, 1),
    "level_g2": Words("Level G2", ADU, 1),
    "level_b": Words("Level B", ADU, 1),
    "mean": Words("Mean", ADU, 2),
    "noise": Words("Noise", ADU, 2),
    "minimum": Words("Minimum", ADU, 0),
    "maximum": Words("Maximum", ADU, 0),
    "saturated": Words("Saturated pixels", PERCENT),
    "zeros": Words("Pixels at zero", PERCENT),
    "not_finite": Words("Pixels without a value", PERCENT),
    "quantum": Words("Step of the converter", ADU, 0),
    "gradient": Words("Gradient", ADU, 1),
    "row_structure": Words("Row banding", "", 1),
    "column_structure": Words("Column banding", "", 1),
    "temperature_error": Words("Sensor from its set point", CELSIUS, 1),
    "hot_pixels": Words("Hot pixels", PERCENT),
    "hot_pixel_count": Words("Number of hot pixels", "", 0),
    "vignetting": Words("Vignetting", PERCENT, 1),
    "level_of_range": Words("Level in the usable range", PERCENT, 1),
    "level_error": Words("Level from target", PERCENT, 1),
    "snr": Words("S/N per pixel", "", 0),
    "corner_darkest": Words("Darkest corner", PERCENT, 1),
    "corner_brightest": Words("Brightest corner", PERCENT, 1),
}


def words(name: str) -> Words:
    """Return how a metric is called; a name that is not in the table is its own label."""
    return METRICS.get(name) or Words(name.replace("_", " ").capitalize())


ADVICE: dict[str, Advice] = {}


def advice(name: str, kind: str, side: str) -> Advice:
    """Return what to say when a metric is beyond its limit on this side, for this kind."""
    for key in (f"{name}:{kind}:{side}", f"{name}:{kind}", f"{name}:{side}", name):
        if key in ADVICE:
            return ADVICE[key]
    return Advice(words(name).label.lower())
