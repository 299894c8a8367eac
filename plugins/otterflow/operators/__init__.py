"""The Airflow operators: thin, one class a file. Only this package and `dags/` import Airflow or talk to a host."""
