"""Where the pages are: in addresses, and in Airflow's navigation."""

PREFIX = "/otterflow"
"""Where Airflow mounts the pages."""
ROUTE = "tuning"
"""Their place in Airflow's navigation."""
