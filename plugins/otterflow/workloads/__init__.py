"""Benchmarks: how each is defined, loaded and run, and how its output is read.

Everything here builds scripts and SQL as values and parses what came back; running them is the operators' work.
"""
