"""What a user can do, without a screen: capture, scan, stack, judge, file, find.

A service is a plain function that takes a `JobContext` first when it takes time. The window,
the command line and the flow tests call the same functions.
"""
