"""The yardstick of the tuner: offline problems, this tuner and its peers on the same seeds and noise, and tables.

`python -m tests.bench.tuner run otterflow random` measures, `... table FILE` compares; `-h` says the rest.
"""
