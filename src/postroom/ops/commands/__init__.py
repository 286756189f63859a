"""The commands of `postroom`, one module a group; cli.py puts them together.

A module has `add(commands)`, which declares them, and for each a function that gets the options and the output and
returns the exit code. Django is imported in those functions only: `--help` must come at once, and the settings read the
database's address, which is known late.
"""
