"""What our words mean: frames, groups, masters, plans, verdicts, matches.

Pure values and pure functions on the standard library and numpy types. No files, no
devices, no threads (but the cancel token), no Qt: everything else is built on this.
"""
