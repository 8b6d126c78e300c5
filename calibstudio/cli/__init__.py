"""The command line: arguments in, one JSON document or plain text out, exit codes.

One module for each command. Nothing here imports Qt but `gui`, and only when it runs.
"""
