"""pgbench, PostgreSQL's own benchmark, with the latency of every transaction."""
