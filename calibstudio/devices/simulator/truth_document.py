"""The truth as one document of plain numbers, for learners, and for tests over a network.

What is measured from frames can be held against it. Maps of single pixels are in `TruthMaps`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from calibstudio.devices.simulator import optics, patterns
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.panel import MAX_BRIGHTNESS, PANEL_EXPONENT, SimulatedPanel
from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.devices.simulator.sky import sky_mag_per_arcsec2, zero_point_e_per_s
from calibstudio.devices.simulator.world import World, panel_full_e_per_s
from calibstudio.domain.sun import sun_altitude_deg

_TEMPERATURES_C = (-20.0, -10.0, 0.0, 10.0, 20.0)


def truth_document(observatory: SimulatedObservatory) -> dict[str, Any]:
    """Return everything that is true of a simulated observatory. Units are in the names."""
    world = observatory.world
    if world is None:
        raise ValueError("this observatory has no world of its own")
    truth = world.truth
    return {
        "seed": truth.seed,
        "camera": {
            "name": observatory.camera.info.name,
            "shape": list(truth.shape),
            "pixel_size_um": truth.pixel_size_um,
            "bayer": truth.bayer,
            "converter_max_adu": truth.converter_max_adu,
            "linear_to_share_of_full_well": truth.linear_to,
            "exposure_min_s": truth.exposure_min_s,
            "prnu": truth.prnu,
            "cosmic_rays_per_cm2_min": truth.cosmics_per_cm2_min,
            "area_cm2": truth.area_cm2,
        },
        "readout_modes": [_mode(truth, name) for name in (m.name for m in truth.modes)],
        "bias": _bias(truth),
        "dark": _dark(truth),
        "panel": _panel(world),
        "filters": _filters(world),
        "optics": {
            "focal_length_mm": world.optics.focal_length_mm,
            "aperture_mm": world.optics.aperture_mm,
        },
        "site": {
            "latitude_deg": world.site.latitude_deg,
            "longitude_deg": world.site.longitude_deg,
            "elevation_m": world.site.elevation_m,
        },
        "now": _now(observatory, world),
    }


def _mode(truth: SensorTruth, name: str) -> dict[str, Any]:
    mode = truth.mode(name)
    low, high = truth.gain_range
    gains = sorted({low, truth.high_conversion_gain - 1, truth.high_conversion_gain, 200, high})
    return {
        "name": name,
        "converter_bits": mode.bits,
        "step_adu": truth.step_adu(name),
        "readout_s": mode.readout_s,
        "gains": [
            {
                "gain": gain,
                "e_per_adu": truth.e_per_adu(gain),
                "full_well_e": truth.full_well_e(gain),
                "read_noise_e": truth.read_noise_e(gain, name),
                "total_read_noise_e": truth.total_read_noise_e(gain, name),
                "saturation_adu": truth.saturation_adu(gain, truth.offset_default, name),
            }
            for gain in gains
        ],
    }


def _bias(truth: SensorTruth) -> dict[str, Any]:
    return {
        "level_adu_at_default_offset": truth.bias_level_adu(truth.offset_default),
        "offset_step_adu": truth.offset_step_adu,
        "drift_adu_per_c": truth.bias_adu_per_c,
        "column_pattern_adu": truth.column_pattern_adu,
        "row_pattern_adu": truth.row_pattern_adu,
        "pixel_pattern_adu": truth.pixel_pattern_adu,
        "gradient_adu": truth.bias_gradient_adu,
        "row_noise_e": truth.row_noise_e,
        "telegraph_share": truth.telegraph_fraction,
        "telegraph_mean_amplitude_e": truth.telegraph_mean_e,
    }


def _dark(truth: SensorTruth) -> dict[str, Any]:
    hot = patterns.hot_pixels(truth)
    glow_x, glow_y = patterns.glow_profiles(truth)
    awake = np.where(hot.blinking, 0.55, 1.0)
    bulk_over_median = float(patterns.bulk_dark_table(truth).mean())

    def at(sensor_c: float) -> dict[str, float]:
        median = truth.dark_median_e_per_s(sensor_c)
        excess = float((awake * hot.excess_e_per_s(sensor_c, truth.dark_ref_c)).sum())
        return {
            "sensor_c": sensor_c,
            "median_e_per_s": median,
            "mean_e_per_s": median * bulk_over_median + excess / truth.n_pixels,
        }

    return {
        "doubling_c": truth.dark_doubling_c,
        "spread_of_logarithm": truth.dark_spread,
        "without_glow": [at(sensor_c) for sensor_c in _TEMPERATURES_C],
        "hot_pixels": int(hot.x.size),
        "hot_pixels_blinking": int(hot.blinking.sum()),
        "glow_peak_e_per_s": truth.glow_peak,
        "glow_mean_e_per_s": float(glow_x.mean() * glow_y.mean()),
    }


def _panel(world: World) -> dict[str, Any]:
    return {
        "max_brightness": MAX_BRIGHTNESS,
        "exponent": PANEL_EXPONENT,
        "full_e_per_s_without_filter": panel_full_e_per_s(world.truth),
        "warm_up_share": SimulatedPanel.WARM_UP,
        "warm_up_s": SimulatedPanel.WARM_UP_S,
        "switching_hz": world.faults.lamp_bands_hz or SimulatedPanel.FLICKER_HZ,
        "tilt_per_half_diagonal": list(optics.PANEL_TILT),
        "curvature_per_half_diagonal2": optics.PANEL_CURVATURE,
    }


def _filters(world: World) -> list[dict[str, Any]]:
    chosen = optics.FILTERS if world.wheel is not None else (optics.NO_FILTER,)
    found = []
    for each in chosen:
        shadows = optics.dust(world.truth, each)
        found.append(
            {
                "name": each.name,
                "share_of_panel_light": each.panel,
                "share_of_sky_light": each.sky,
                "vignetting_fall_off": each.fall_off,
                "vignetting_edge_loss": each.edge_loss,
                "zero_point_e_per_s": zero_point_e_per_s(world.optics, each),
                "dust": [
                    {
                        "x": float(shadows.x[i]),
                        "y": float(shadows.y[i]),
                        "radius_px": float(shadows.outer[i]),
                        "hole_radius_px": float(shadows.inner[i]),
                        "depth": float(shadows.depth[i]),
                    }
                    for i in range(shadows.x.size)
                ],
            }
        )
    return found


def _now(observatory: SimulatedObservatory, world: World) -> dict[str, Any]:
    moment = world.clock.now()
    sun = sun_altitude_deg(moment, world.site)
    return {
        "utc": moment.isoformat(),
        "clock_speed": world.clock.speed if world.clock.speed != float("inf") else "max",
        "air_c": world.ambient_c(world.clock.elapsed_s),
        "sun_altitude_deg": sun,
        "sky_mag_per_arcsec2": sky_mag_per_arcsec2(sun),
        "faults": {} if observatory.faults is None else dict(observatory.faults.active()),
    }
