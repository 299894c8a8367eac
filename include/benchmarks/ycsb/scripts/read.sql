-- A record by its popularity: the most popular are asked for most (Zipf), and lie anywhere in the table.
\set record 1 + permute(random_zipfian(1, 1000 * :scale, :zipf) - 1, 1000 * :scale, 42)
SELECT * FROM ycsb.usertable WHERE ycsb_key = ycsb.key(:record);
