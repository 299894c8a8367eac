SELECT sum(n) FROM numbers;
