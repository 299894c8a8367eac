-- Visits of the web shop: four of a customer's follow each other within minutes; who buys much visits much.
INSERT INTO visits
SELECT n,
       timestamp '2020-01-01 00:00:00' + INTERVAL floor(157680000.0 * (n DIV 4) / (20000 * @scale)
           + 2400 * conv(left(h, 8), 16, 10) / 4294967296) SECOND,
       1 + floor(12000 * @scale * pow(conv(left(g, 8), 16, 10) / 4294967296, 2)),
       elt(1 + floor(6 * conv(substr(g, 9, 8), 16, 10) / 4294967296), 'phone', 'phone', 'phone', 'desktop', 'desktop',
           'tablet'),
       concat('/', elt(1 + floor(5 * conv(substr(h, 9, 8), 16, 10) / 4294967296), 'product', 'product', 'search',
           'basket', 'account'), '/', floor(2000 * pow(conv(substr(h, 17, 8), 16, 10) / 4294967296, 2))),
       200 + floor(60000 * pow(conv(substr(h, 25, 8), 16, 10) / 4294967296, 4)),
       if(conv(substr(h, 33, 8), 16, 10) / 4294967296 < 0.4,
          concat('https://partner', floor(30 * conv(substr(h, 41, 8), 16, 10) / 4294967296), '.example.org/'), NULL)
FROM (SELECT n, sha2(concat('visit', n), 256) AS h, sha2(concat('walk', n DIV 4), 256) AS g
      FROM (SELECT 1 + thousands.n * 1000 + ones.n AS n
            FROM thousands CROSS JOIN ones WHERE thousands.n < 80 * @scale) AS numbers) AS hashed;

-- Twelve returns to a hundred sales.
INSERT INTO returned
SELECT n, sale_id,
       date '2020-01-01' + INTERVAL floor(1820.0 * sale_id / (100000 * @scale) + 10
           + 40 * conv(substr(h, 9, 8), 16, 10) / 4294967296) DAY,
       elt(1 + floor(6 * pow(conv(substr(h, 17, 8), 16, 10) / 4294967296, 1.5)), 'broken', 'too small', 'too large',
           'late', 'not as shown', 'mind changed'),
       if(conv(substr(h, 25, 8), 16, 10) / 4294967296 < 0.8, 1,
          round(conv(substr(h, 33, 8), 16, 10) / 4294967296, 2))
FROM (SELECT n, h, 1 + floor(100000 * @scale * conv(left(h, 8), 16, 10) / 4294967296) AS sale_id
      FROM (SELECT n, sha2(concat('return', n), 256) AS h
            FROM (SELECT 1 + thousands.n * 1000 + ones.n AS n
                  FROM thousands CROSS JOIN ones WHERE thousands.n < 12 * @scale) AS numbers) AS hashed) AS picked;
