-- A record by its popularity: the most popular are asked for most (Zipf), and lie anywhere in the table.
\set record 1 + permute(random_zipfian(1, 1000 * :scale, :zipf) - 1, 1000 * :scale, 42)
\set field random(0, 9)
\set seed random(1, 1000000000000)
SELECT * FROM ycsb.usertable WHERE ycsb_key = ycsb.key(:record);
UPDATE ycsb.usertable SET
    field0 = CASE :field::int WHEN 0 THEN ycsb.value(:seed::bigint) ELSE field0 END,
    field1 = CASE :field::int WHEN 1 THEN ycsb.value(:seed::bigint) ELSE field1 END,
    field2 = CASE :field::int WHEN 2 THEN ycsb.value(:seed::bigint) ELSE field2 END,
    field3 = CASE :field::int WHEN 3 THEN ycsb.value(:seed::bigint) ELSE field3 END,
    field4 = CASE :field::int WHEN 4 THEN ycsb.value(:seed::bigint) ELSE field4 END,
    field5 = CASE :field::int WHEN 5 THEN ycsb.value(:seed::bigint) ELSE field5 END,
    field6 = CASE :field::int WHEN 6 THEN ycsb.value(:seed::bigint) ELSE field6 END,
    field7 = CASE :field::int WHEN 7 THEN ycsb.value(:seed::bigint) ELSE field7 END,
    field8 = CASE :field::int WHEN 8 THEN ycsb.value(:seed::bigint) ELSE field8 END,
    field9 = CASE :field::int WHEN 9 THEN ycsb.value(:seed::bigint) ELSE field9 END
WHERE ycsb_key = ycsb.key(:record);
