DROP TABLE ycsb_ones, ycsb_thousands;
ANALYZE TABLE usertable;
