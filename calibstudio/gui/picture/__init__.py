"""Looking at frames: the picture view with its tools, and plots of numbers about frames.

Used by every workspace. Pixels are worked on in `calibstudio.imaging`, in workers; here they are
only painted. `plots` is the one module that imports pyqtgraph: import it after the first paint.
"""
