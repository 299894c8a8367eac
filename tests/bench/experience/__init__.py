"""The packs that ship: how they were made, and what they are worth on problems that are none of theirs."""
