"""The simulated observatory: honest physics with a known truth, shipped and used as default.

`observatory.simulated_observatory` makes it. One module for each device and each piece of
physics; the pixel kernels need numba, which is imported when the first frame is rendered.
"""
