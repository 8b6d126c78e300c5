"""What may go wrong at the simulated observatory, on request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that is out of order now; the default is that nothing is.

    Replaced as a whole while the observatory runs: ``observatory.set_faults(Faults(...))``.
    """

    disconnect: bool = False
    """The camera is lost half way through the next exposure, until this is taken back."""
    disconnect_at_frame: int | None = None
    """The same, in the exposure with this sequence number (the first one is 1)."""
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
    repeat_frame: bool = False
    """The buffer is stale: each frame has the pixels of the one before."""
    unsafe: bool = False
    """The safety monitor says that it is not safe to observe."""
