SET client_min_messages = warning;
SET search_path = ycsb, pg_catalog;
SET synchronous_commit = off;
