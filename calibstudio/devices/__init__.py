"""Each module turns one foreign interface into the protocols of `calibstudio.domain.equipment`.

The simulated observatory is one of them and ships with the program. Nothing above this
folder knows a concrete class from here but the composition root, `calibstudio.app`.
"""
