"""Taking back what this checkout has made outside of its folder: the servers' user, the script and the sudoers rule.

Called at the end of a test run, of the demo, of `make down` and of `make clean`. It takes nothing away that another
process of the checkout uses, and it takes back as well what a run has left that was killed.
"""

from __future__ import annotations

import os
from pathlib import Path

from stack.checkout import THIS, Checkout
from stack.free_cache import FreeCacheRule
from stack.lab import STATE, recorded_lab
from stack.processes import belonging_to
from stack.users import remove_user


def take_back(checkout: Checkout = THIS, state: Path = STATE) -> str:
    """Remove script and rule unless they are in use, and the user unless a lab's files are its own.

    Returns why something was left, or an empty text. Raises StackError where the user cannot be removed.
    """
    if os.geteuid() != 0:
        return ""
    try:
        if not checkout.hold_alone():
            return "another process of this checkout uses the servers' user; it takes it back when it ends"
        lab = recorded_lab(state)
        if lab is not None and belonging_to(lab):
            return f"the stack in {lab} is running; `make down` ends it"
        FreeCacheRule(checkout).revoke()
        if lab is not None:
            return f"the files in {lab} belong to the user {checkout.name!r}; `make clean` removes both"
        remove_user(checkout)
        return ""
    finally:
        checkout.release()
