"""The table of metrics: label, unit and decimals; and what a value beyond its limit means."""

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
EGAIN, RATE = "e\u207b/ADU", "e\u207b/s"

METRICS: dict[str, Words] = {
    # one frame
    "level": Words("Level", ADU),
    "level_r": Words("Level R", ADU),
    "level_g": Words("Level G", ADU),
    "level_g1": Words("Level G1", ADU),
    "level_g2": Words("Level G2", ADU),
    "level_b": Words("Level B", ADU),
    "mean": Words("Mean", ADU),
    "noise": Words("Noise", ADU),
    "minimum": Words("Minimum", ADU),
    "maximum": Words("Maximum", ADU),
    "saturated": Words("Saturated pixels", PERCENT),
    "zeros": Words("Pixels at zero", PERCENT),
    "not_finite": Words("Pixels without a value", PERCENT),
    "gradient": Words("Gradient", ADU, 1),
    "gradient_change": Words("Change of the gradient", ADU, 1),
    "colour_difference": Words("Difference of the colours", ADU, 1),
    "row_structure": Words("Row banding", "", 1),
    "column_structure": Words("Column banding", "", 1),
    "bad_rows": Words("Bad rows", "", 0),
    "bad_columns": Words("Bad columns", "", 0),
    "temperature_error": Words("Sensor from its set point", CELSIUS, 1),
    "temperature_drift": Words("Sensor from where it was", CELSIUS, 1),
    "hot_pixels": Words("Hot pixels", PERCENT),
    "hot_pixel_count": Words("Number of hot pixels", "", 0),
    "cold_pixels": Words("Cold pixels", PERCENT),
    "dead_pixels": Words("Dead pixels", "", 0),
    "vignetting": Words("Vignetting", PERCENT, 1),
    "corner_darkest": Words("Darkest corner", PERCENT, 1),
    "corner_brightest": Words("Brightest corner", PERCENT, 1),
    "level_of_range": Words("Level in the usable range", PERCENT, 1),
    "snr": Words("S/N per pixel", "", 0),
    # sets
    "n_frames": Words("Frames", "", 0),
    "level_spread": Words("Spread of the levels", ADU, 2),
    "read_noise_adu": Words("Read noise", ADU, 2),
    "read_noise": Words("Read noise", ELECTRONS, 2),
    "read_noise_known": Words("Known read noise", ELECTRONS, 2),
    "read_noise_error": Words("Read noise from the known one", PERCENT, 1),
    "temporal_noise": Words("Temporal noise of a pixel", ADU, 2),
    "rtn_tail": Words("Noise tail", "", 2),
    "unstable_pixels": Words("Unstable pixels", PERCENT),
    "bias_drift": Words("Drift over the set", "", 2),
    "level_jump": Words("Largest jump of the level", "", 2),
    "level_drift": Words("Change of the level", PERCENT, 1),
    "temperature_spread": Words("Spread of the temperature", CELSIUS, 1),
    "duplicates": Words("Copies of another frame", "", 0),
    "outliers": Words("Frames that do not belong", "", 0),
    "bad_frames": Words("Frames that are BAD by themselves", PERCENT, 0),
    "dark_current": Words("Dark current", RATE),
    "dark_current_variance": Words("Dark current from its noise", RATE),
    "dark_rate_adu": Words("Dark signal", "ADU/s"),
    "dark_variance_adu": Words("Variance of the dark signal", "ADU²/s"),
    "dark_rate_scatter": Words("Scatter of the dark levels", "", 1),
    "dark_proportion": Words("Dark rate, long to short", "", 2),
    "hot_rate_adu": Words("Median signal of hot pixels", "ADU/s"),
    "hot_rate": Words("Median rate of hot pixels", RATE),
    "glow": Words("Amp glow", ADU, 1),
    "glow_rate_adu": Words("Amp glow", "ADU/s"),
    "glow_rate": Words("Amp glow", RATE),
    "egain_of_flat": Words("Gain of the flat", EGAIN, 3),
    "egain": Words("Gain", EGAIN, 3),
    "egain_error": Words("Standard error of the gain", EGAIN, 4),
    "gain_error": Words("Gain from the written one", PERCENT, 1),
    "noise_excess": Words("Noise over photons and read-out", "", 2),
    "shape_drift": Words("Change of the shape", PERCENT, 2),
    # masters
    "unc_median": Words("Median uncertainty", "", None),
    "uncertainty_excess": Words("Uncertainty over the expected", "", 2),
    "low_count": Words("Pixels with few kept values", PERCENT),
    "frames_of_wanted": Words("Share of the frames wanted", PERCENT, 0),
    "master_snr": Words("S/N per pixel of the master", "", 0),
    "rejected": Words("Rejected values", PERCENT, 2),
    "dust": Words("Dust shadows", "", 0),
    "dust_depth": Words("Deepest dust shadow", PERCENT, 1),
    "bright_spots": Words("Bright spots", "", 0),
    # a master against the one before it
    "changed_pixels": Words("Pixels that changed", PERCENT),
    "new_dust": Words("New dust shadows", "", 0),
    "new_hot_pixels": Words("New hot pixels", PERCENT, 1),
    "vignetting_change": Words("Change of vignetting", PERCENT, 1),
}


def words(name: str) -> Words:
    """Return how a metric is called; a name that is not in the table is its own label."""
    return METRICS.get(name) or Words(name.replace("_", " ").capitalize())


BIAS_UNKNOWN = "The bias level is not known; it is not taken out."
LEAK_CURE = "Cover the draw tube and the camera's openings, switch lights off, and take it again."
COOLER_CURE = "Wait until the cooler has settled, or set a temperature it can hold."
SHAKE_CURE = "Take the frames again in one go at one temperature."

ADVICE: dict[str, Advice] = {
    "saturated": Advice(
        "saturated",
        "too much light: the lamp or the sky is too bright for this exposure.",
        "Dim the panel or shorten the exposure.",
    ),
    "saturated:bias": Advice(
        "saturated",
        "light on the sensor, or an offset that is far too high.",
        "Cover the telescope, and check gain and offset.",
    ),
    "saturated:dark": Advice(
        "saturated",
        "light on the sensor, or an exposure too long for this temperature.",
        "Cover the telescope; cool the camera, or shorten the exposure.",
    ),
    "zeros": Advice(
        "clipped at zero",
        "the offset is too low, so that the noise is cut off at zero and levels come out wrong.",
        "Raise the camera's offset, and take bias, darks and flats again with it.",
    ),
    "not_finite": Advice(
        "pixels without a value",
        "the file holds values that are not numbers.",
        "Use the raw file of the camera.",
    ),
    "gradient": Advice(
        "light leak",
        "light reaches the covered sensor from one side; or the sensor's own glow.",
        LEAK_CURE,
    ),
    "gradient:bias": Advice(
        "gradient",
        "light on the sensor, or read-out that drifts over the frame.",
        "Cover the telescope; let the camera run for some minutes before the first bias.",
    ),
    "gradient:flat": Advice(
        "gradient",
        "the light is not even: a panel that is tilted or off centre, or the sky's own slope.",
        "Centre the panel on the tube, or point near the zenith away from the Sun.",
    ),
    "colour_difference": Advice(
        "light leak",
        "light on a sensor that should be covered: its colour shows.",
        LEAK_CURE,
    ),
    "row_structure": Advice(
        "row banding",
        "interference on the cable or supply during read-out.",
        "Use another supply or a shorter cable, and keep the USB load low while reading out.",
    ),
    "row_structure:flat": Advice(
        "row banding",
        "a lamp that flickers or is dimmed in pulses, seen by a rolling shutter.",
        "Expose longer, a whole number of mains periods, or run the panel at full brightness "
        "behind paper.",
    ),
    "column_structure": Advice(
        "column banding",
        "interference during read-out.",
        "Use another supply or a shorter cable.",
    ),
    "temperature_error": Advice(
        "not at its temperature",
        "the cooler had not settled, or cannot hold the set point tonight.",
        COOLER_CURE,
    ),
    "temperature_drift": Advice(
        "temperature drifts",
        "the cooler is still on its way.",
        "Wait until the sensor is at its set point, or set a temperature it can hold.",
    ),
    "hot_pixels": Advice(
        "many hot pixels",
        "a warm sensor, or one that ages.",
        "Cool further, and use a bad-pixel map made from the master.",
    ),
    "cold_pixels": Advice(
        "many cold pixels",
        "dust on the sensor window, or dead pixels.",
        "Clean the window; use a bad-pixel map made from the master.",
    ),
    "level:above": Advice(
        "too bright",
        "the light grew while the exposure stayed.",
        "Take it again with a shorter exposure.",
    ),
    "level:below": Advice(
        "too dark",
        "the light faded while the exposure stayed.",
        "Take it again with a longer exposure.",
    ),
    "level_of_range:above": Advice(
        "too bright",
        "the exposure is too long for this lamp; sensors are not linear near full well.",
        "Shorten the exposure or dim the panel; 30 to 60 % is best.",
    ),
    "level_of_range:below": Advice(
        "too dark",
        "the exposure is too short for this lamp, so that read noise counts.",
        "Expose longer or brighten the panel; 30 to 60 % is best.",
    ),
    "snr": Advice(
        "too few photons",
        "the level is too low for flats.",
        "Expose longer or brighten the panel.",
    ),
    "vignetting": Advice(
        "strong vignetting",
        "a filter or adapter that is too small, or a cover that was half open.",
        "Check that the cover is open and the filter is in place.",
    ),
    "noise:above": Advice(
        "noisy",
        "light on the sensor, another gain or read-out mode, or interference.",
        "Check cover, gain and read-out mode, and take it again.",
    ),
    "noise:below": Advice(
        "too quiet",
        "another gain or read-out mode than the one known, or a processed file.",
        "Check gain and read-out mode; use raw files.",
    ),
    "read_noise_error": Advice(
        "read noise changed",
        "another gain or read-out mode, interference, or a value in the rig that is old.",
        "Check gain and read-out mode; then measure the camera again.",
    ),
    "rtn_tail": Advice(
        "noisy pixels",
        "pixels that jump between two levels (telegraph noise).",
        "Take more frames and reject outliers; mark them in the bad-pixel map.",
    ),
    "unstable_pixels": Advice(
        "unstable pixels",
        "pixels that jump between two levels (telegraph noise), or cosmic rays.",
        "Mark them in the bad-pixel map.",
    ),
    "bias_drift": Advice(
        "bias drift",
        "electronics that were still warming up, or a cooler that was still moving.",
        SHAKE_CURE,
    ),
    "level_jump": Advice(
        "bias jump",
        "a change of supply or temperature between two frames.",
        SHAKE_CURE,
    ),
    "bias_drift:dark": Advice(
        "level drift",
        "light on the sensor that changes, or a temperature that does.",
        "Cover the telescope, wait until the cooler has settled, and take them in one go.",
    ),
    "level_jump:dark": Advice(
        "level jump",
        "light on the sensor that changes between two frames, or a change of temperature.",
        "Cover the telescope, wait until the cooler has settled, and take them in one go.",
    ),
    "level_drift": Advice(
        "light drifts",
        "a lamp that warms up, or twilight; normalised when the frames are stacked.",
        "Let the panel warm up for some minutes.",
    ),
    "temperature_spread": Advice(
        "temperature drifts",
        "the cooler had not settled.",
        COOLER_CURE,
    ),
    "duplicates": Advice(
        "copied frame",
        "the same picture was saved twice: it adds no information and hides noise.",
        "Leave the copy out.",
    ),
    "outliers": Advice(
        "frames that do not belong",
        "light, clouds or a change of settings during the set.",
        "Leave them out, or take them again.",
    ),
    "bad_frames": Advice(
        "bad frames",
        "what is said of each of them.",
        "Leave them out, or take them again.",
    ),
    "dark_rate_scatter": Advice(
        "dark level unsteady",
        "light on the sensor that changes, or a temperature that does.",
        LEAK_CURE,
    ),
    "dark_proportion": Advice(
        "dark signal not proportional to time",
        "light on the sensor, another temperature or offset, or glow that does not grow evenly.",
        "Do not scale these darks to another exposure; take darks of the exposure needed.",
    ),
    "glow": Advice(
        "amp glow",
        "the sensor's own electronics shine into one edge.",
        "Use darks of the same exposure and do not scale them.",
    ),
    "gain_error": Advice(
        "gain not as written",
        "the e\u207b/ADU in the header belongs to another setting, or the lamp flickers.",
        "The measured value is used; check gain and read-out mode.",
    ),
    "noise_excess": Advice(
        "noise is not photon noise",
        "a lamp that flickers, moving clouds or stars; or a gain that is not the camera's.",
        "Expose longer, and measure the gain with a steady panel.",
    ),
    "shape_drift": Advice(
        "shape drifts",
        "the light moved between frames: a tilting panel, clouds, or the sky turning.",
        "Fix the panel; take twilight flats with a clear zenith.",
    ),
    "uncertainty_excess": Advice(
        "noisier than its inputs allow",
        "frames that differ from each other by more than noise.",
        "Look at the levels of the inputs and leave out those that differ.",
    ),
    "low_count": Advice(
        "many values rejected",
        "frames that do not fit together, or a rejection that is too sharp.",
        "Look at the inputs; use softer limits.",
    ),
    "frames_of_wanted": Advice(
        "few frames",
        "fewer frames than the recipe asks for.",
        "Take more and stack again; what there is may be used meanwhile.",
    ),
    "master_snr": Advice(
        "noisy master",
        "too few frames, or too little light in each.",
        "Take more frames: twice as many make it 1.4 times better.",
    ),
    "dust": Advice(
        "dust",
        "dust on the sensor window or the filter.",
        "Clean them; until then take flats every night.",
    ),
    "bright_spots": Advice(
        "stars in the flat",
        "stars of the twilight sky that rejection did not remove, or dust that moved.",
        "Take more twilight flats and move the telescope between them.",
    ),
    "changed_pixels": Advice(
        "changed since the last master",
        "another setting or temperature, light on the sensor, or a sensor that ages.",
        "Compare the settings of both; take the set again.",
    ),
    "new_dust": Advice(
        "new dust shadows",
        "dust moved since the last master.",
        "Use this flat for lights from this night on; keep the last for lights before it.",
    ),
    "new_hot_pixels": Advice(
        "new hot pixels",
        "radiation damage, or a warmer sensor.",
        "Use the newer master for newer lights.",
    ),
    "vignetting_change": Advice(
        "vignetting changed",
        "the optical train was changed, or a cover was not fully open.",
        "Take flats again; say that the rig changed.",
    ),
}
_SAME_AS = {"dark flat": "dark"}


def advice(name: str, kind: str, side: str) -> Advice:
    """Return what to say when a metric is beyond its limit on this side, for this kind."""
    kinds = (kind, _SAME_AS[kind]) if kind in _SAME_AS else (kind,)
    keys = [f"{name}:{k}" for k in kinds] + [f"{name}:{side}", name]
    return next((ADVICE[key] for key in keys if key in ADVICE), Advice(words(name).label.lower()))
