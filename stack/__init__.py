"""Private servers for the demo and the tests: PostgreSQL, sshd and Airflow on loopback and free ports.

Everything here runs on the developer's machine. Nothing under `plugins/` imports it.
"""
