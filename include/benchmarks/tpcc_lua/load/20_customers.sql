-- 3,000 customers a district (clause 4.3.3.1) and a payment of each. The first 1,000 have one last name each, the
-- others' are drawn by NURand(255, 0, 999) with C = 157. @part of @parts of the warehouses.
INSERT INTO customer
SELECT c, d, w, left(text, 8 + floor(crc32(concat(i, ':30')) / 4294967296 * 9)), 'OE',
       concat(elt(1 + floor(number / 100), 'BAR', 'OUGHT', 'ABLE', 'PRI', 'PRES', 'ESE', 'ANTI', 'CALLY', 'ATION',
           'EING'),
              elt(1 + floor(number / 10) % 10, 'BAR', 'OUGHT', 'ABLE', 'PRI', 'PRES', 'ESE', 'ANTI', 'CALLY',
                  'ATION', 'EING'),
              elt(1 + number % 10, 'BAR', 'OUGHT', 'ABLE', 'PRI', 'PRES', 'ESE', 'ANTI', 'CALLY', 'ATION', 'EING')),
       substr(text, 17, 10 + floor(crc32(concat(i, ':33')) / 4294967296 * 11)), substr(text, 37, 10
           + floor(crc32(concat(i, ':34')) / 4294967296 * 11)),
       substr(text, 57, 10 + floor(crc32(concat(i, ':35')) / 4294967296 * 11)), upper(substr(text, 77, 2)),
       concat(lpad(floor(crc32(concat(i, ':36')) / 4294967296 * 10000), 4, '0'), '11111'),
           lpad(floor(crc32(concat(i, ':37')) / 4294967296 * 100000000), 16, '0'),
       '2020-01-01', if(crc32(concat(i, ':38')) / 4294967296 < 0.1, 'BC', 'GC'), 50000.00,
       (floor(crc32(concat(i, ':39')) / 4294967296 * 5001)) / 10000, -10.00, 10.00, 1, 0,
       left(concat(text, sha2(concat(i, ':40'), 512), sha2(concat(i, ':41'), 512), sha2(concat(i, ':42'), 512)),
            300 + floor(crc32(concat(i, ':43')) / 4294967296 * 201))
FROM (SELECT w, d, c, i, sha2(concat(i, ':44'), 512) AS text,
             if(c <= 1000, c - 1, (((floor(crc32(concat(i, ':31')) / 4294967296 * 256)) | (floor(crc32(concat(i,
                 ':32')) / 4294967296 * 1000))) + 157) % 1000) AS number
      FROM (SELECT w, d, c, (w * 100 + d) * 10000 + c AS i
      FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds
           CROSS JOIN (SELECT n + 1 AS c FROM tpcc_numbers WHERE n < 3000) AS cs) AS keyed) AS drawn
ORDER BY w, d, c;

INSERT INTO history
SELECT c, d, w, d, w, '2020-01-01', 10.00, left(sha2(concat(i, ':45'), 512), 12 + floor(crc32(concat(i,
    ':46')) / 4294967296 * 13))
FROM (SELECT w, d, c, (w * 100 + d) * 10000 + c AS i
      FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds
           CROSS JOIN (SELECT n + 1 AS c FROM tpcc_numbers WHERE n < 3000) AS cs) AS keyed;
