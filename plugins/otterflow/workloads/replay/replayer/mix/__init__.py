"""The mix: a recording's transactions drawn at random, as often as they were, for as long as wanted.

Whole recorded transactions with the values that they had, so that every type works and what belongs together stays so.
"""
