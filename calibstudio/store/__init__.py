"""Disk: the only place that knows file formats, header keywords and database tables.

Writes are atomic and never replace what is there. No Qt, no devices, no arithmetic on pixels.
"""
