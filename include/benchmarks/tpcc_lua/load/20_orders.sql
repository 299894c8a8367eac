-- 3,000 orders a district (clause 4.3.3.1), one of each customer (1009 and 3,000 have no divisor in common), of 5 to 15
-- lines each. The last 900 are not delivered yet. @part of @parts of the warehouses.
INSERT INTO orders
SELECT o, d, w, 1 + (o * 1009 + w * 10 + d) % 3000, '2020-01-01', if(o <= 2100, 1 + floor(crc32(concat(i,
    ':51')) / 4294967296 * 10), NULL),
       5 + floor(crc32(concat(i, ':52')) / 4294967296 * 11), 1
FROM (SELECT w, d, o, (w * 100 + d) * 10000 + o AS i
      FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds
           CROSS JOIN (SELECT n + 1 AS o FROM tpcc_numbers WHERE n < 3000) AS os) AS keyed
ORDER BY w, d, o;

INSERT INTO order_line
SELECT o, d, w, line, 1 + floor(crc32(concat(i * 100 + line, ':53')) / 4294967296 * 100000), w, if(o <= 2100,
    '2020-01-01', NULL), 5,
       if(o <= 2100, 0, (1 + floor(crc32(concat(i * 100 + line, ':54')) / 4294967296 * 999999)) / 100),
           left(md5(i * 100 + line), 24)
FROM (SELECT w, d, o, (w * 100 + d) * 10000 + o AS i
      FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds
           CROSS JOIN (SELECT n + 1 AS o FROM tpcc_numbers WHERE n < 3000) AS os) AS keyed
     JOIN (SELECT n + 1 AS line FROM tpcc_numbers WHERE n < 15) AS ls
     ON line <= 5 + floor(crc32(concat(i, ':52')) / 4294967296 * 11)
ORDER BY w, d, o, line;

INSERT INTO new_order
SELECT o, d, w
FROM (SELECT w, d, o, (w * 100 + d) * 10000 + o AS i
      FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds
           CROSS JOIN (SELECT n + 1 AS o FROM tpcc_numbers WHERE n < 3000) AS os) AS keyed
WHERE o > 2100
ORDER BY w, d, o;
