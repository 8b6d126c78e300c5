"""An observatory of ours, offered to other programs as ASCOM Alpaca devices over HTTP.

`server.AlpacaServer` is what a caller needs. One module for each kind of device, which turns the
requests of the published API into calls of the protocols in `calibstudio.domain.equipment`; what is
behind the protocols (the simulated observatory, as a rule) is not known here.

Sources: *ASCOM Alpaca API Reference*, *Alpaca Management API* and *ImageBytes*
(https://ascom-standards.org/api/), and the ASCOM master interface definitions of Platform 7
(https://ascom-standards.org/newdocs/interfaces.html).
"""
