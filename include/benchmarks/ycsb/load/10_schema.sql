-- YCSB's one table in a schema of its own. :scale is thousands of records.
DROP SCHEMA IF EXISTS ycsb CASCADE;
CREATE SCHEMA ycsb;

-- The key of a record. It is a hash, as in YCSB ("hashed" insert order), so neighbours in the table are none in the
-- index.
CREATE FUNCTION ycsb.key(record bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT 'user' || lpad((hashint8extended(record, 0) & 9223372036854775807)::text, 19, '0') $$;

-- 100 characters that do not compress well.
CREATE FUNCTION ycsb.value(seed bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT left(encode(sha512((seed::text)::bytea), 'hex'), 100) $$;

CREATE TABLE ycsb.usertable (
    ycsb_key text NOT NULL, field0 text, field1 text, field2 text, field3 text, field4 text, field5 text, field6 text,
    field7 text, field8 text, field9 text
);

-- The number of the last record.
CREATE SEQUENCE ycsb.record;
SELECT setval('ycsb.record', 1000 * :scale) \g /dev/null
