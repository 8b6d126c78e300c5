"""INDI: cameras, wheels, light boxes, dust caps, telescopes and more behind an indiserver.

`listing` says what a server has, `calibstudio.devices.rig_opening` opens it. `link` keeps a copy of
the server’s properties up to date in a thread of its own; the devices are read from that copy and
act by sending changes and waiting for what comes back.
"""
