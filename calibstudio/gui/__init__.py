"""Qt: shows state, asks services to act, decides nothing about calibration."""
