INSERT INTO calendar
SELECT day, extract(year FROM day), extract(quarter FROM day), extract(month FROM day), to_char(day, 'FMMonth'),
       extract(week FROM day), extract(isodow FROM day), uniform(day - date '2020-01-01', 11) < 0.03
FROM (SELECT date '2020-01-01' + n AS day FROM generate_series(0, 1826) AS n) AS days;

-- A city lies in one region: the planner, which takes columns for independent, is to be as wrong as it is in life.
INSERT INTO store
SELECT n, 'Store ' || n, (ARRAY['shop', 'shop', 'shop', 'web', 'partner'])[1 + floor(5 * uniform(n, 21))::int],
       'City ' || city, 'Region ' || city % 8, date '2005-01-01' + floor(5000 * uniform(n, 22))::int,
       100 + floor(4000 * uniform(n, 23) ^ 2)::int
FROM (SELECT n, floor(60 * uniform(n, 20))::int AS city FROM generate_series(1, 200) AS n) AS stores;

-- Brand follows subcategory, and subcategory category.
INSERT INTO product
SELECT n, 'Product ' || n, 'Category ' || sub % 12, 'Subcategory ' || sub,
       'Brand ' || sub * 3 + floor(5 * uniform(n, 31))::int, list_price(n),
       50 + floor(20000 * uniform(n, 32) ^ 3)::int, repeat(md5(n::text) || ' ', 3)
FROM (SELECT n, floor(240 * uniform(n, 30))::int AS sub FROM generate_series(1, 2000 * :scale) AS n) AS products;

INSERT INTO customer
SELECT n, 'Customer ' || md5(n::text), 'c' || n || '@example.org',
       CASE WHEN chance < 0.03 THEN 'vip' WHEN chance < 0.20 THEN 'business' WHEN chance < 0.50 THEN 'family'
            ELSE 'single' END,
       'City ' || city, 'Region ' || city % 8, 1940 + floor(66 * uniform(n, 42))::int,
       date '2015-01-01' + floor(3600.0 * n / (12000.0 * :scale))::int
FROM (SELECT n, uniform(n, 40) AS chance, floor(60 * uniform(n, 41) ^ 2)::int AS city
      FROM generate_series(1, 12000 * :scale) AS n) AS customers;
