"""The table `mysql.slow_log`, as a window's job has written its rows, read as the statements that clients sent.

This room is shipped to the source's host, where recordings are made: the standard library of Python 3.9 is enough.
"""
