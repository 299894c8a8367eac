"""otterflow: tunes a database server's knobs by experiment, one Airflow Dag run per trial."""

__version__ = "0.1.0"
