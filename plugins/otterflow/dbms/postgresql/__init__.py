"""PostgreSQL 12 to 18: commands, SQL and files as values, and parsers of what comes back."""
