"""A recording as a workload: sent again, session by session, by a program that runs on the driver host."""
