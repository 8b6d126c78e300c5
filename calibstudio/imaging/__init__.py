"""Arrays in, arrays out: combination, rejection, quality numbers, pictures for the screen.

Knows no file format, no device, no Qt. What needs pixels from disk gets a reader passed in.
"""
