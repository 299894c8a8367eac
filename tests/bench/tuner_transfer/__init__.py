"""What other experiments are worth to a new one: pairs of problems, alike and unlike, with and without the first.

Run it with `python -m tests.bench.tuner_transfer`; docs/measurements/transfer.md has the results.
"""
