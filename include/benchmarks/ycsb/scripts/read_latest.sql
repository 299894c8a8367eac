-- The most recent records are the most popular. The last one may not be committed yet; then nothing is found.
\set back random_zipfian(1, 1000 * :scale, :zipf) - 1
SELECT * FROM ycsb.usertable WHERE ycsb_key = ycsb.key((SELECT last_value FROM ycsb.record) - :back);
