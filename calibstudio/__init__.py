"""CalibStudio: calibration frames taken, judged, stacked, kept and found again."""

__version__ = "0.1.0"
