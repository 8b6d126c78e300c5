"""The Live workspace: one frame after the other, large, with its numbers and the equipment.

`session` talks to the camera and knows no widget; panels show and ask; `workspace` connects them.
"""
