"""A fixed stream of SQL queries over data generated in SQL, run by psql."""
