"""The sensor as it truly is: the numbers that tests and learners may ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calibstudio.domain.equipment import Conversion

TELEGRAPH_HIGH, TELEGRAPH_LOW = 0.15, 0.15
"""Share of reads in which a telegraph pixel is above and below its level (three-level noise
after correlated double sampling)."""


@dataclass(frozen=True, slots=True)
class ReadoutMode:
    """One way to read the sensor."""

    name: str
    bits: int
    """Of the converter; values are delivered on the scale of `SensorTruth.delivered_bits`."""
    noise_factor: float
    pattern_factor: float
    """Strength of the fixed pattern of the bias relative to the first mode."""
    readout_s: float
    """For the full frame."""


@dataclass(frozen=True, slots=True)
class SensorTruth:
    """A sensor without secrets. Rates are e-/s per unbinned pixel.

    The numbers are those of a modern back-illuminated CMOS sensor of 3.76 um pixels, with more
    pattern, glow and telegraph noise than a good one has, so that there is something to find.
    """

    shape: tuple[int, int]
    pixel_size_um: float = 3.76
    bayer: str | None = None
    modes: tuple[ReadoutMode, ...] = ()
    seed: int = 1

    e_per_adu_gain0: float = 0.78
    gain_range: tuple[int, int] = (0, 300)
    gain_default: int = 100
    high_conversion_gain: int = 100
    """From this gain setting on the pixel converts with the smaller capacitor."""
    full_well_low_e: float = 50_000.0
    full_well_high_e: float = 18_000.0
    """Full well below and from the high conversion gain on."""
    linear_to: float = 0.90
    """Linear up to this share of the full well; above it the response bends to the full well."""
    delivered_bits: int = 16
    """Scale of the delivered values: 16, or fewer for a camera that does not stretch them."""

    offset_range: tuple[int, int] = (0, 255)
    offset_default: int = 50
    pedestal_adu: float = 2.0
    offset_step_adu: float = 10.0
    bias_adu_per_c: float = 0.1
    """Drift of the bias level with the sensor temperature, zero at -10 degrees C."""
    column_pattern_adu: float = 1.0
    row_pattern_adu: float = 0.3
    pixel_pattern_adu: float = 0.6
    """1 sigma of the fixed patterns in the first mode at gain 0; see `pattern_scale`."""
    bias_gradient_adu: float = 1.5
    """From the first to the last row."""
    row_noise_e: float = 0.12
    """1 sigma, new in every row of every frame."""

    read_noise_low_e: tuple[float, float] = (3.4, 2.9)
    read_noise_high_e: tuple[float, float] = (1.5, 1.0)
    """At both ends of the gain range below, and from, the high conversion gain on."""
    telegraph_fraction: float = 0.005
    telegraph_mean_e: float = 8.0
    """Exponential distribution of the amplitudes."""

    dark_ref_c: float = 0.0
    dark_median_ref: float = 0.004
    """Median dark current at the reference temperature, without glow, e-/s."""
    dark_doubling_c: float = 6.0
    dark_spread: float = 0.4
    """Sigma of the logarithm (lognormal bulk)."""
    hot_fraction: float = 5e-4
    hot_least_ref: float = 0.05
    hot_most_ref: float = 60.0
    """Excess of hot pixels at the reference temperature: Pareto with exponent 1.1, e-/s."""
    hot_blinking: float = 0.03
    """Share of hot pixels that rest, at a tenth of their rate, in half of the frames."""
    glow_peak: float = 0.08
    """In the last corner (row ny-1, column nx-1), e-/s; does not depend on temperature."""
    glow_scale: float = 0.07
    """Distance over which the glow falls by e, as a share of each side."""
    prnu: float = 0.008
    """Pixel response non-uniformity, 1 sigma."""
    cosmics_per_cm2_min: float = 2.5

    exposure_min_s: float = 0.001
    exposure_max_s: float = 3600.0
    exposure_step_s: float = 0.0001

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def area_cm2(self) -> float:
        """Light-sensitive area."""
        return self.n_pixels * (self.pixel_size_um * 1e-4) ** 2

    @property
    def converter_max_adu(self) -> int:
        """Largest value on the delivered scale."""
        return (1 << self.delivered_bits) - 1

    def step_adu(self, mode: str | None = None) -> int:
        """Distance between two values that the converter can give, as they are delivered."""
        return 1 << max(0, self.delivered_bits - self.mode(mode).bits)

    def mode(self, name: str | None) -> ReadoutMode:
        """Return the mode of this name, the first for None. Raises `KeyError`."""
        return self.modes[self.mode_number(name)]

    def mode_number(self, name: str | None) -> int:
        """Return the place of this mode in the list, 0 for None. Raises `KeyError`."""
        for number, mode in enumerate(self.modes):
            if name is None or mode.name == name:
                return number
        raise KeyError(name)

    def e_per_adu(self, gain: int) -> float:
        """Electrons for one ADU; the gain setting is in 0.1 dB of amplitude (20 log10)."""
        return float(self.e_per_adu_gain0 * 10.0 ** (-gain / 200.0))

    def full_well_e(self, gain: int) -> float:
        """Electrons that a pixel can hold at this gain."""
        return self.full_well_low_e if gain < self.high_conversion_gain else self.full_well_high_e

    def saturation_adu(self, gain: int, offset: int, mode: str | None = None) -> float:
        """Level at which a pixel saturates: of the converter, or of the full well above bias."""
        step = self.step_adu(mode)
        converter = self.converter_max_adu // step * step
        well = self.bias_level_adu(offset) + self.full_well_e(gain) / self.e_per_adu(gain)
        return min(float(converter), well)

    def read_noise_e(self, gain: int, mode: str | None = None) -> float:
        """Standard deviation of the Gaussian part of the read noise, quantisation left out."""
        low, step, high = self.gain_range[0], self.high_conversion_gain, self.gain_range[1]
        if gain < step:
            (a, b), share = self.read_noise_low_e, (gain - low) / (step - low)
        else:
            (a, b), share = self.read_noise_high_e, (gain - step) / (high - step)
        return (a + (b - a) * share) * self.mode(mode).noise_factor

    def total_read_noise_e(self, gain: int, mode: str | None = None) -> float:
        """Root mean square of all that differs between two biases, over all pixels.

        Gaussian noise, row noise, telegraph noise and the quantisation of the converter.
        """
        telegraph = self.telegraph_fraction * (TELEGRAPH_HIGH + TELEGRAPH_LOW)
        quantisation = (self.step_adu(mode) * self.e_per_adu(gain)) ** 2 / 12.0
        variance = (
            self.read_noise_e(gain, mode) ** 2
            + self.row_noise_e**2
            + telegraph * 2.0 * self.telegraph_mean_e**2
            + quantisation
        )
        return float(variance**0.5)

    def bias_level_adu(self, offset: int, sensor_c: float = -10.0) -> float:
        """Mean level of a bias."""
        drift = self.bias_adu_per_c * (sensor_c + 10.0)
        return self.pedestal_adu + self.offset_step_adu * offset + drift

    def pattern_scale(self, gain: int, mode: str | None = None) -> float:
        """Factor on the fixed patterns of the bias at this gain and mode."""
        return (1.0 + gain / 200.0) * self.mode(mode).pattern_factor

    def dark_median_e_per_s(self, sensor_c: float) -> float:
        """Median dark current at a temperature, without glow."""
        factor = 2.0 ** ((sensor_c - self.dark_ref_c) / self.dark_doubling_c)
        return float(self.dark_median_ref * factor)

    def conversion(self, gain: int, mode: str | None = None) -> Conversion:
        """What a driver would say about this gain and mode."""
        return Conversion(
            e_per_adu=self.e_per_adu(gain),
            full_well_e=self.full_well_e(gain),
            read_noise_e=self.read_noise_e(gain, mode),
        )


def modes_for(shape: tuple[int, int], delivered_bits: int = 16) -> tuple[ReadoutMode, ...]:
    """Return the read-out modes of a simulated sensor of this size and converter."""
    megapixels = shape[0] * shape[1] / 1e6
    slow_s, fast_s = round(0.05 + 0.044 * megapixels, 3), round(0.02 + 0.016 * megapixels, 3)
    if delivered_bits < 16:
        return (ReadoutMode(f"Normal, {delivered_bits} bit", delivered_bits, 1.0, 1.0, slow_s),)
    return (
        ReadoutMode("Normal, 16 bit", 16, 1.0, 1.0, slow_s),
        ReadoutMode("Fast, 14 bit", 14, 1.6, 1.5, fast_s),
    )


def on_scale(truth: SensorTruth, delivered_bits: int) -> SensorTruth:
    """Return the same sensor behind a converter of fewer bits, whose values are not stretched.

    In electrons nothing changes but the noise of quantisation; in ADU everything is smaller.
    """
    factor = 2.0 ** (delivered_bits - truth.delivered_bits)
    return replace(
        truth,
        delivered_bits=delivered_bits,
        modes=modes_for(truth.shape, delivered_bits),
        e_per_adu_gain0=truth.e_per_adu_gain0 / factor,
        pedestal_adu=truth.pedestal_adu * factor,
        offset_step_adu=truth.offset_step_adu * factor,
        bias_adu_per_c=truth.bias_adu_per_c * factor,
        column_pattern_adu=truth.column_pattern_adu * factor,
        row_pattern_adu=truth.row_pattern_adu * factor,
        pixel_pattern_adu=truth.pixel_pattern_adu * factor,
        bias_gradient_adu=truth.bias_gradient_adu * factor,
    )
