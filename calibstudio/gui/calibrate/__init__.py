"""The Calibrate workspace: lights, the masters that fit them and why, before and after."""
