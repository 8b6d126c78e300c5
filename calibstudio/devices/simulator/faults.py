"""What may go wrong at the simulated observatory, on request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from calibstudio.domain.faults import FULL_DISK, FaultKind, FaultValue, kind_of


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that is out of order now; the default is that nothing is.

    Replaced as a whole while the observatory runs: ``observatory.set_faults(Faults(...))``.
    """

    disconnect: bool = False
    """The camera is lost half way through the next exposure, until this is taken back."""
    disconnect_at_frame: int | None = None
    """The same, in the exposure with this sequence number (the first one is 1)."""
    back_after_s: float | None = None
    """A lost camera answers again after so many seconds; None: not before the fault is mended."""
    extra_readout_s: float = 0.0
    """Added to every read-out."""
    wrong_shape: bool = False
    """Frames arrive one row short."""
    stuck_cooler: bool = False
    """The temperature stays where it is while the cooler reports full power."""
    light_leak_e_per_s: float = 0.0
    """Light that reaches the sensor past the closed cover, e-/s at the edge where it enters."""
    lamp_flicker: float = 0.0
    """Relative scatter of the lamp from frame to frame (1 sigma), for example 0.04."""
    lamp_bands_hz: float = 0.0
    """The lamp is dimmed by switching at this frequency; 0: so fast that nobody sees it."""
    repeat_frame: bool = False
    """The buffer is stale: each frame has the pixels of the one before."""
    dead_wheel: bool = False
    """The filter wheel says that it turns, and does not."""
    stuck_cover: bool = False
    """The cover says that it moves, and does not."""
    full_disk: bool = False
    """There is no room for frames. No device shows it: it is met where frames are written."""
    unsafe: bool = False
    """The safety monitor says that it is not safe to observe."""


class FaultBox:
    """Holds what is out of order now, for all devices. Safe to use from any thread."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._lock = threading.Lock()
        self._now = faults or Faults()

    @property
    def now(self) -> Faults:
        """What is out of order."""
        with self._lock:
            return self._now

    def set(self, faults: Faults) -> None:
        """Put this out of order, and mend everything else."""
        with self._lock:
            self._now = faults

    def change(self, **fields: Any) -> None:
        """Change some things and leave the others."""
        with self._lock:
            self._now = replace(self._now, **fields)


@dataclass(frozen=True, slots=True)
class _Row:
    """A fault and the fields of `Faults` behind it."""

    kind: FaultKind
    main_field: str
    to_fields: Callable[[tuple[float, ...]], dict[str, Any]]
    of_faults: Callable[[Faults], tuple[float, ...]] = field(default=lambda faults: ())
    more_fields: tuple[str, ...] = ()


def _switch(word: str, title: str, effect: str, name: str) -> _Row:
    return _Row(FaultKind(word, title, effect), name, lambda _: {name: True})


def _level(
    word: str, title: str, effect: str, name: str, value: FaultValue, scale: float = 1.0
) -> _Row:
    """A fault with one number; ``scale`` times the field is what people type."""
    return _Row(
        FaultKind(word, title, effect, (value,)),
        name,
        lambda values: {name: values[0] / scale},
        lambda faults: (getattr(faults, name) * scale,),
    )


def _disconnect_fields(values: tuple[float, ...]) -> dict[str, Any]:
    frame, back_s = round(values[0]), values[1]
    return {
        "disconnect": frame == 0,
        "disconnect_at_frame": frame or None,
        "back_after_s": back_s or None,
    }


_ROWS = (
    _Row(
        FaultKind(
            "disconnect",
            "Camera is lost",
            "The camera stops answering in the middle of an exposure: of the one with this "
            "number, or with 0 of the next one. With 0 seconds it comes back when this is mended.",
            (
                FaultValue("exposure", "", 0.0, 0.0, 1_000_000.0),
                FaultValue("back after", "s", 0.0, 0.0, 86_400.0),
            ),
        ),
        "disconnect",
        _disconnect_fields,
        lambda f: (float(f.disconnect_at_frame or 0), f.back_after_s or 0.0),
        ("disconnect_at_frame", "back_after_s"),
    ),
    _level(
        "slow-readout",
        "Slow read-out",
        "Every frame arrives this much later.",
        "extra_readout_s",
        FaultValue("delay", "s", 30.0, 0.1, 3600.0),
    ),
    _switch("wrong-shape", "Wrong shape", "Frames arrive one row short.", "wrong_shape"),
    _switch(
        "stale-frame",
        "Stale frames",
        "Each frame has the pixels of the one before.",
        "repeat_frame",
    ),
    _switch(
        "stuck-cooler",
        "Stuck cooler",
        "The temperature stays where it is, at full power.",
        "stuck_cooler",
    ),
    _level(
        "light-leak",
        "Light leak",
        "Light gets past the closed cover, from one side.",
        "light_leak_e_per_s",
        FaultValue("light", "e⁻/s", 5.0, 0.001, 1e6),
    ),
    _level(
        "lamp-flicker",
        "Lamp flickers",
        "The lamp differs from frame to frame.",
        "lamp_flicker",
        FaultValue("scatter", "%", 4.0, 0.01, 50.0),
        scale=100.0,
    ),
    _level(
        "lamp-bands",
        "Lamp makes bands",
        "The lamp is dimmed by slow switching: bands in short exposures.",
        "lamp_bands_hz",
        FaultValue("frequency", "Hz", 200.0, 10.0, 100_000.0),
    ),
    _switch("dead-wheel", "Dead filter wheel", "The filter wheel does not turn.", "dead_wheel"),
    _switch("stuck-cover", "Stuck cover", "The cover does not move.", "stuck_cover"),
    _switch(FULL_DISK, "Full disk", "There is no room for frames.", "full_disk"),
    _switch("unsafe", "Not safe", "The safety monitor says that it is not safe.", "unsafe"),
)

FAULT_KINDS = tuple(row.kind for row in _ROWS)
_BY_WORD = MappingProxyType({row.kind.word: row for row in _ROWS})


class SimulatedFaults:
    """The faults of a simulated observatory by their words; see `FaultDesk`."""

    def __init__(self, box: FaultBox) -> None:
        self._box = box

    @property
    def kinds(self) -> tuple[FaultKind, ...]:
        """All that can be out of order."""
        return FAULT_KINDS

    def active(self) -> dict[str, tuple[float, ...]]:
        """Return the words of all faults there are now, with their values."""
        now, healthy = self._box.now, Faults()
        return {
            row.kind.word: row.of_faults(now)
            for row in _ROWS
            if any(getattr(now, name) != getattr(healthy, name) for name in _fields(row))
        }

    def make(self, word: str, values: Sequence[float] = ()) -> None:
        """Put something out of order, or change its values. Raises `UsageError`."""
        kind = kind_of(word, FAULT_KINDS)
        self._box.change(**_BY_WORD[word].to_fields(kind.checked(values)))

    def mend(self, word: str) -> None:
        """Put one thing in order. Raises `UsageError` for a word that nobody knows."""
        row = _BY_WORD[kind_of(word, FAULT_KINDS).word]
        healthy = Faults()
        self._box.change(**{name: getattr(healthy, name) for name in _fields(row)})

    def mend_all(self) -> None:
        """Put everything in order."""
        self._box.set(Faults())


def _fields(row: _Row) -> tuple[str, ...]:
    return (row.main_field, *row.more_fields)
