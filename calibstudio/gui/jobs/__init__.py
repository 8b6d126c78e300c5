"""Background work of the interface: the runner that does it and the panel that shows it.

What a job does belongs in `calibstudio.services`; here it is only started, shown and cancelled.
"""
