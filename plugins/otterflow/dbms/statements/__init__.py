"""What the readings of a statement's text share, whatever the DBMS: tokens, the class, judgement, session state.

Each DBMS has modules of the same names for its own spelling. This room is shipped to the driver host with them: it
needs the standard library of Python 3.9 and no more.
"""
