SET client_min_messages = warning;
SET search_path = tpcc, pg_catalog;
SET synchronous_commit = off;
