"""What the text of a statement says, in MariaDB's and MySQL's spelling: its tokens, its class, its effect on a replay.

This room is shipped to the driver host: it needs the standard library of Python 3.9 and no more.
"""
