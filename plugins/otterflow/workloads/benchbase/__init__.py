"""BenchBase, the successor of OLTP-Bench, as it is installed on the driver host."""
