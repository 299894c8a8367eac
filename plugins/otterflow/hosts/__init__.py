"""Everything that talks to a host or its server, without Airflow."""
