"""PostgreSQL's own log, in its three formats, read as the statements that clients sent.

What the server has to be told to write for it: `log_min_duration_statement = 0` (or a sample of whole transactions),
which gives each statement after its end with its duration; so a start is a time less a duration. This room is shipped
to the driver host, where recordings are made: the standard library of Python 3.9 is enough for it.
"""
