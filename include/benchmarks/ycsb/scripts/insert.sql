\set seed 10 * random(1, 100000000000)
INSERT INTO ycsb.usertable
VALUES (ycsb.key(nextval('ycsb.record')),
        ycsb.value(:seed::bigint), ycsb.value(:seed::bigint + 1), ycsb.value(:seed::bigint + 2),
        ycsb.value(:seed::bigint + 3), ycsb.value(:seed::bigint + 4), ycsb.value(:seed::bigint + 5),
        ycsb.value(:seed::bigint + 6), ycsb.value(:seed::bigint + 7), ycsb.value(:seed::bigint + 8),
        ycsb.value(:seed::bigint + 9));
