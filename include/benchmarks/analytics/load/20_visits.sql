-- Visits of the web shop: four of a customer's follow each other within minutes; who buys much visits much.
INSERT INTO visits
SELECT n,
       timestamp '2020-01-01' + make_interval(secs => 157680000.0 * (n / 4) / (20000 * :scale)
                                                      + 2400 * uniform(n, 60)),
       1 + floor(12000 * :scale * uniform(n / 4, 61) ^ 2)::int,
       (ARRAY['phone', 'phone', 'phone', 'desktop', 'desktop', 'tablet'])[1 + floor(6 * uniform(n / 4, 62))::int],
       '/' || (ARRAY['product', 'product', 'search', 'basket', 'account'])[1 + floor(5 * uniform(n, 63))::int]
           || '/' || floor(2000 * uniform(n, 64) ^ 2)::int,
       200 + floor(60000 * uniform(n, 65) ^ 4)::int,
       CASE WHEN uniform(n, 66) < 0.4 THEN 'https://partner' || floor(30 * uniform(n, 67))::int || '.example.org/' END
FROM generate_series(1, 80000 * :scale) AS n;

-- Twelve returns to a hundred sales, in the order in which they came back.
INSERT INTO returns
SELECT row_number() OVER (ORDER BY returned_on, n), sale_id, returned_on,
       (ARRAY['broken', 'too small', 'too large', 'late', 'not as shown', 'mind changed'])
           [1 + floor(6 * uniform(n, 72) ^ 1.5)::int],
       CASE WHEN uniform(n, 73) < 0.8 THEN 1 ELSE round(uniform(n, 74)::numeric, 2) END
FROM (
    SELECT n, sale_id,
           date '2020-01-01' + floor(1820.0 * sale_id / (100000 * :scale) + 10 + 40 * uniform(n, 71))::int
               AS returned_on
    FROM (SELECT n, 1 + floor(100000 * :scale * uniform(n, 70))::bigint AS sale_id
          FROM generate_series(1, 12000 * :scale) AS n) AS picked
) AS raw;
