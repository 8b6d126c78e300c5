"""ASCOM Alpaca: cameras, filter wheels, cover calibrators and telescopes over HTTP.

`rig.open_alpaca` opens an observatory from addresses, `discovery` finds them. The words of the
protocol (states, error classes) are alpyca's; its transport is not used, because one lock of the
whole process is held during each of its requests and images are fetched without a time limit.
"""
