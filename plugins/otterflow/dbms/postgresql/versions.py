"""The major versions of PostgreSQL that catalog, rules and SQL are made for."""

OLDEST, NEWEST = 12, 18
