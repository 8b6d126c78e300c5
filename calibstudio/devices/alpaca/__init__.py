"""ASCOM Alpaca: cameras, filter wheels, cover calibrators, telescopes and more over HTTP.

`discovery` finds devices, `calibstudio.devices.rig_opening` opens them. The words of the
protocol (states, error classes) are alpyca's; its transport is not used, because one lock of the
whole process is held during each of its requests and images are fetched without a time limit.
"""
