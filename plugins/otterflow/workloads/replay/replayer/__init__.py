"""The replayer: a program of pure Python that is shipped to the driver host and sends a recording's statements again.

One connection a session, each waiting for its own answers only: so a session that waits for a lock never keeps the one
that holds it from going on. It needs python3 from 3.9 on and its standard library, nothing more.
"""

LEAST_PYTHON = (3, 9)
