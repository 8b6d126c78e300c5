"""OST's ``config_calibration_frames.yaml``, as it is: sections dark_capture, flat_capture,
master_frames, and camera (or video, in older files).

Keys and defaults are those of the telescope-streaming project of OST. What cannot be meant, or has
another meaning here, is said by name and line; nothing is changed in silence. Sections about other
things (mount, overlay, plate solving) are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import LevelTarget, LevelUnit, SearchLimits
from calibstudio.domain.recipe import LevelOf, Recipe, Rejection
from calibstudio.domain.run_config import (
    BiasWish,
    CameraWish,
    CoolingWish,
    DarkWish,
    DeviceWish,
    FlatWish,
    RunConfig,
    ScienceList,
)
from calibstudio.domain.wording import exposure, temperature
from calibstudio.store.recipes import load_recipe
from calibstudio.store.yaml_keys import Section

OURS = ("dark_capture", "flat_capture", "master_frames")
ELSEWHERE = ("telescope", "mount", "overlay", "plate_solve", "frame_processing", "logging")
"""Sections about other things than calibration frames."""
MASTERS = "master_frames/"
FACTORS = (0.5, 1.0, 2.0, 4.0)
MOST_FRAMES = 10_000
LONGEST_S = 86_400.0


def is_ost(top: Section) -> bool:
    """Whether a file is OST's and not ours."""
    return "calibstudio" not in top and any(key in top for key in OURS)


def read_ost(top: Section, name: str) -> RunConfig:
    """Read OST's file; mistakes are noted in the section's ``mistakes``."""
    return _Ost(top, name).config()


@dataclass(slots=True)
class _Ost:
    top: Section
    name: str
    notes: list[str] = field(default_factory=list)
    start_s: float | None = None
    """``exposure_time`` of the camera: where the search of flats starts."""

    def config(self) -> RunConfig:
        """Return the whole of it."""
        top = self.top
        camera, device, cooling = self._camera()
        dark = self._section("dark_capture")
        flat = self._section("flat_capture")
        masters = self._section("master_frames")
        darks, bias, has_flat_exposure = self._darks(dark, camera)
        flats = self._flats(flat, camera, start_s=self.start_s, dark_flats=has_flat_exposure)
        recipe, kinds, library = self._masters(masters)
        top.ignore(*ELSEWHERE)
        self._frame_processing()
        for key in top.unknown():
            self._note(top, key, "is not known here and has no effect")
        return RunConfig(
            name=self.name,
            title="Calibration frames",
            device=device,
            frames_folder=Path.cwd(),
            frame_names=_names(self._folder(dark, "darks"), self._folder(flat, "flats")),
            library=str(Path.cwd() / library),
            own_recipe=recipe,
            master_kinds=kinds,
            camera=camera,
            cooling=cooling,
            bias=() if bias is None else (bias,),
            darks=(darks,),
            flats=(flats,),
            notes=tuple(self.notes),
        )

    def _section(self, key: str) -> Section | None:
        return self.top.section(key)

    def _note(self, section: Section, key: str, what: str) -> None:
        self.notes.append(f"Line {section.line_of(key)}, {section.name_of(key)}: {what}.")

    # Darks --------------------------------------------------------------------------------------

    def _darks(
        self, section: Section | None, camera: CameraWish
    ) -> tuple[DarkWish, BiasWish, bool]:
        """Bias, the flat's exposure, and the science exposure times factors (OST's list)."""
        frames, science_s, low, high = 40, 5.0, 0.001, 60.0
        factors: tuple[float, ...] = FACTORS
        flat_s: float | None = None
        if section is not None:
            frames = section.whole("num_darks", low=1, high=MOST_FRAMES) or frames
            science_s = _seconds(section, "science_exposure_time", science_s)
            low = _seconds(section, "min_exposure", low)
            high = _seconds(section, "max_exposure", high)
            factors = section.numbers("exposure_factors", low=0.0001, high=10_000) or factors
            flat_s = section.number("flat_exposure_time", low=0, high=LONGEST_S)
            self._dark_contradictions(section, science_s, factors, flat_s, (low, high))
        science = ScienceList(science_s, factors, low, high, flat_s)
        wish = DarkWish(frames=frames, science=science, camera=camera)
        return wish, BiasWish(frames, low, camera), flat_s is not None

    def _dark_contradictions(
        self,
        section: Section,
        science_s: float,
        factors: tuple[float, ...],
        flat_s: float | None,
        limits: tuple[float, float],
    ) -> None:
        low, high = limits
        if low > high:
            section.wrong("min_exposure", f"{low:g} s is above max_exposure, {high:g} s")
        for factor in factors:
            product = science_s * factor
            if not low <= product <= high:
                what = f"{factor:g} × {exposure(science_s)} is outside {low:g}–{high:g} s: left out"
                self._note(section, "exposure_factors", what)
        if flat_s is not None and not low <= flat_s <= high:
            self._note(section, "flat_exposure_time", f"outside {low:g}–{high:g} s: left out")
        for key in section.unknown():
            if key != "output_dir":
                self._note(section, key, "is not known here and has no effect")

    # Flats --------------------------------------------------------------------------------------

    def _flats(
        self, section: Section | None, camera: CameraWish, *, start_s: float | None,
        dark_flats: bool,
    ) -> FlatWish:  # fmt: skip
        frames, target, tolerance = 40, 0.5, 0.1
        low, high, attempts = 0.001, 10.0, 10
        if section is not None:
            frames = section.whole("num_flats", low=1, high=MOST_FRAMES) or frames
            target = section.number("target_count_rate", low=0.01, high=1.0) or target
            tolerance = section.number("count_tolerance", low=0.001, high=0.5) or tolerance
            low = _seconds(section, "min_exposure", low)
            high = _seconds(section, "max_exposure", high)
            attempts = section.whole("max_adjustment_attempts", low=1, high=100) or attempts
            if low > high:
                section.wrong("min_exposure", f"{low:g} s is above max_exposure, {high:g} s")
            if target * (1 + tolerance) > 0.9:
                what = f"{target:g} and its tolerance reach saturation; 0.5 is right for most"
                section.wrong("target_count_rate", what)
            if section.entry("exposure_step_factor") is not None:
                what = "the next exposure is computed from the level, not stepped"
                self._note(section, "exposure_step_factor", what)
            for key in section.unknown():
                if key != "output_dir":
                    self._note(section, key, "is not known here and has no effect")
        if start_s is not None:
            start_s = min(max(start_s, low), high)
        return FlatWish(
            frames=frames,
            target=LevelTarget(100.0 * target, LevelUnit.PERCENT, tolerance),
            limits=SearchLimits(low, high, max_frames=attempts),
            exposure_s=start_s,
            dark_flats=0 if dark_flats else None,
            camera=camera,
        )

    # Masters ------------------------------------------------------------------------------------

    def _masters(self, section: Section | None) -> tuple[Recipe, tuple[str, ...], str]:
        kinds = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT, FrameKind.FLAT)
        if section is None:
            return _recipe("sigma_clip", 3.0, "mean"), kinds, "master_frames"
        method = section.text("rejection_method") or "sigma_clip"
        if method not in ("sigma_clip", "minmax"):
            section.wrong("rejection_method", f"“{method}” is neither sigma_clip nor minmax")
        sigma = section.number("sigma_threshold", low=0.5, high=20) or 3.0
        norm = section.text("normalization_method") or "mean"
        if norm == "max":
            self._note(
                section,
                "normalization_method",
                "max would follow the brightest defect; the median is taken",
            )
        elif norm not in ("mean", "median"):
            section.wrong("normalization_method", f"“{norm}” is none of mean, median, max")
        wanted = self._kinds(section)
        self._without_effect(section)
        folder = self._folder(section, "master_frames")
        return _recipe(method, sigma, norm), wanted, folder

    def _kinds(self, section: Section) -> tuple[str, ...]:
        keys = {
            "create_master_bias": (FrameKind.BIAS,),
            "create_master_darks": (FrameKind.DARK, FrameKind.DARK_FLAT),
            "create_master_flats": (FrameKind.FLAT,),
        }
        kinds: list[str] = []
        for key, of_key in keys.items():
            if section.flag(key) is not False:
                kinds += of_key
        if FrameKind.FLAT in kinds and FrameKind.DARK not in kinds:
            what = "flats are made without a dark, unless the library has one"
            self._note(section, "create_master_darks", what)
        return tuple(kinds)

    def _without_effect(self, section: Section) -> None:
        told = {
            "quality_control": (False, "every frame and master is judged all the same"),
            "save_individual_masters": (False, "every master is a file of its own all the same"),
            "enable_calibration": (True, "is for lights: see calibstudio calibrate"),
            "auto_load_masters": (True, "is for lights: the library finds masters by itself"),
        }
        for key, (when, what) in told.items():
            if section.flag(key) is when:
                self._note(section, key, what)
        if section.number("calibration_tolerance", low=0, high=10) is not None:
            what = "is for lights, whose darks have the same exposure here, to 0.5 %"
            self._note(section, "calibration_tolerance", what)
        for key in section.unknown():
            if key != "output_dir":
                self._note(section, key, "is not known here and has no effect")

    def _folder(self, section: Section | None, usual: str) -> str:
        """Return a folder's name below the working folder."""
        text = section.text("output_dir") if section is not None else None
        if text is None or section is None:
            return usual
        path = Path(text)
        parts = [p for p in path.parts if p not in (".", path.anchor)]
        if path.is_absolute() or ".." in parts or ":" in text:
            self._note(section, "output_dir", f"leads elsewhere: {usual} is used here")
            return usual
        return "/".join(parts) or usual

    def _frame_processing(self) -> None:
        section = self.top.section("frame_processing")
        if section is None:
            return
        if section.flag("auto_debayer"):
            self._note(section, "auto_debayer", "calibration frames stay raw all the same")
        form = section.text("file_format")
        if form is not None and form.upper() not in ("FITS", "FIT"):
            self._note(section, "file_format", "calibration frames are FITS all the same")

    # Camera -------------------------------------------------------------------------------------

    def _camera(self) -> tuple[CameraWish, DeviceWish | None, CoolingWish]:
        top = self.top
        camera, video = top.section("camera"), top.section("video")
        section = camera or video
        if camera is not None and video is not None:
            self._note(top, "video", "stands beside camera, which counts")
        if section is None:
            return CameraWish(), None, CoolingWish()
        kind = (section.text("camera_type") or "opencv").lower()
        if kind not in ("ascom", "alpaca", "indi", "opencv"):
            what = f"“{kind}” is none of ascom, alpaca, indi, opencv"
            section.wrong("camera_type", what)
        own = section.section(kind) if kind in section else None
        wish = self._settings(own or section)
        cooling, set_temp_c = self._cooling(section.section("cooling") or top.section("cooling"))
        wish = replace(wish, set_temp_c=set_temp_c)
        self._sensor(section)
        return wish, self._device(section, own, kind), cooling

    def _settings(self, section: Section) -> CameraWish:
        binning = section.numbers("binning", low=1, high=64)
        if len(binning) == 2 and binning[0] != binning[1]:
            section.wrong("binning", f"{binning[0]:g} × {binning[1]:g} is not square")
        self.start_s = section.number("exposure_time", low=0, high=LONGEST_S)
        mode = section.whole("readout_mode", low=0, high=100)
        return CameraWish(
            gain=section.whole("gain", low=-10_000, high=1_000_000),
            offset=section.whole("offset", low=-10_000, high=1_000_000),
            readout_mode=mode,
            binning=int(binning[0]) if binning else 1,
        )

    def _device(self, section: Section, own: Section | None, kind: str) -> DeviceWish | None:
        if kind == "alpaca":
            own = own or section
            port = own.whole("port", low=1, high=65_535)
            number = own.whole("device_id", low=0, high=2**32 - 1)
            host = own.text("host") or "localhost"
            line = own.line_of("host")
            return DeviceWish("alpaca", "", host, port or 11_111, number or 0, line)
        if kind == "indi":
            # No key of OST's own: cameras of INDI servers in the same words.
            own = own or section
            port = own.whole("port", low=1, high=65_535)
            name = own.text("device_name") or own.text("camera_name") or ""
            line = section.line_of("camera_type")
            return DeviceWish(
                "indi", name, own.text("host") or "localhost", port or 7624, line=line
            )
        if kind == "ascom":
            key = "ascom_driver"
            source = own if own is not None and key in own else section
            name = source.text(key) or (source.text("camera_name") or "")
            return DeviceWish("alpaca", name, line=source.line_of(key))
        if kind == "opencv":
            return DeviceWish("opencv", line=section.line_of("camera_type"))
        return None

    def _sensor(self, section: Section) -> None:
        bits = section.whole("bit_depth", low=1, high=32)
        if bits is not None and bits > 16:
            self._note(section, "bit_depth", "frames have 16 bits at most here")

    def _cooling(self, section: Section | None) -> tuple[CoolingWish, float | None]:
        if section is None or section.flag("enable_cooling") is False:
            return CoolingWish(warm_up=False), None
        target = section.number("target_temperature", low=-150, high=60)
        final = section.number("warmup_final_temp", low=-40, high=40)
        wait, at_end = section.flag("wait_for_cooling"), section.flag("warmup_at_end")
        target = -10.0 if target is None else target
        if final is not None and final < target:
            what = f"{temperature(final)} is colder than the target, {temperature(target)}"
            section.wrong("warmup_final_temp", what)
        if section.entry("status_interval") is not None:
            self._note(section, "status_interval", "the cooler is read every 3 s")
        wish = CoolingWish(
            tolerance_c=section.number("stabilization_tolerance", low=0.05, high=5),
            timeout_s=section.number("cooling_timeout", low=10, high=LONGEST_S) or 300.0,
            wait=wait is not False,
            warm_up=at_end is not False,
            warm_up_c_per_min=section.number("warmup_rate", low=0.1, high=60),
            warm_up_to_c=final,
        )
        for key in section.unknown():
            self._note(section, key, "is not known here and has no effect")
        return wish, target


def _seconds(section: Section, key: str, usual: float) -> float:
    found = section.number(key, low=0, high=LONGEST_S)
    return usual if found is None else found


def _recipe(method: str, sigma: float, norm: str) -> Recipe:
    """OST's recipe as it ships, with the file's clipping (or one value off each end) and level."""
    base = load_recipe("ost")
    stack = {
        kind: replace(settings, low=sigma, high=sigma)
        if method != "minmax"
        else replace(settings, reject=Rejection.MINMAX, low=1, high=1, iterations=None)
        for kind, settings in base.stack.items()
    }
    level = LevelOf.MEAN if norm == "mean" else LevelOf.MEDIAN
    # The recipe's names have OST's folder; here it is the library's own.
    return replace(
        base,
        stack=stack,
        flat=replace(base.flat, level=level),
        master_name=base.master_name.removeprefix(MASTERS),
        names={kind: name.removeprefix(MASTERS) for kind, name in base.names.items()},
    )


def _names(darks: str, flats: str) -> dict[str, str]:
    """Return OST's names by kind: ``darks/exp_2.500s/dark_20260417_045208_001.fits``.

    Flats of several filters have a folder each: OST's names know no filter.
    """
    dark = f"{darks}/exp_{{exposure3}}s/{{kind}}_{{stamp}}_{{number}}.fits"
    flat = f"{flats}/{{filter}}/flat_{{filter}}_{{stamp}}_{{number}}.fits"
    covered = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)
    return {**dict.fromkeys(map(str, covered), dark), str(FrameKind.FLAT): flat}
