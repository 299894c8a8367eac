"""Recordings: what a source did in an interval, as a folder that is whole or not there. Its format: docs/recordings.md.

This room is shipped to the driver host, where recordings are kept: the standard library of Python 3.9 is enough for it.
"""
