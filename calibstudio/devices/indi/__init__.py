"""INDI: cameras, filter wheels, light boxes, dust caps and telescopes behind an indiserver.

`rig.open_indi` opens an observatory from one server. `link` keeps a copy of the server’s
properties up to date in a thread of its own; the devices are read from that copy and act by sending
changes and waiting for what comes back.
"""
