-- Eight hexadecimal digits of a row's hash make one number in [0, 1): conv(substr(...), 16, 10) / 4294967296.
INSERT INTO calendar
SELECT d, year(d), quarter(d), month(d), monthname(d), week(d, 3), weekday(d) + 1,
       conv(left(sha2(concat('day', n), 256), 8), 16, 10) / 4294967296 < 0.03
FROM (SELECT n, date '2020-01-01' + INTERVAL n DAY AS d
      FROM (SELECT high.n * 1000 + low.n AS n FROM ones AS high CROSS JOIN ones AS low WHERE high.n < 2) AS numbers
      WHERE n <= 1826) AS days;

-- A city lies in one region: the optimizer, which takes columns for independent, is to be as wrong as it is in life.
INSERT INTO store
SELECT n, concat('Store ', n),
       elt(1 + floor(5 * conv(substr(h, 9, 8), 16, 10) / 4294967296), 'shop', 'shop', 'shop', 'web', 'partner'),
       concat('City ', city), concat('Region ', city % 8),
       date '2005-01-01' + INTERVAL floor(5000 * conv(substr(h, 17, 8), 16, 10) / 4294967296) DAY,
       100 + floor(4000 * pow(conv(substr(h, 25, 8), 16, 10) / 4294967296, 2))
FROM (SELECT n, h, floor(60 * conv(left(h, 8), 16, 10) / 4294967296) AS city
      FROM (SELECT n, sha2(concat('store', n), 256) AS h FROM ones WHERE n BETWEEN 1 AND 200) AS hashed) AS stores;

-- Brand follows subcategory, and subcategory category.
INSERT INTO product
SELECT n, concat('Product ', n), concat('Category ', sub % 12), concat('Subcategory ', sub),
       concat('Brand ', sub * 3 + floor(5 * conv(substr(h, 9, 8), 16, 10) / 4294967296)),
       round(2 + 498 * pow(conv(left(sha2(concat('price', n), 256), 8), 16, 10) / 4294967296, 3), 2),
       50 + floor(20000 * pow(conv(substr(h, 17, 8), 16, 10) / 4294967296, 3)), repeat(concat(left(h, 32), ' '), 3)
FROM (SELECT n, h, floor(240 * conv(left(h, 8), 16, 10) / 4294967296) AS sub
      FROM (SELECT n, sha2(concat('product', n), 256) AS h
            FROM (SELECT 1 + thousands.n * 1000 + ones.n AS n
                  FROM thousands CROSS JOIN ones WHERE thousands.n < 2 * @scale) AS numbers) AS hashed) AS products;

INSERT INTO customer
SELECT n, concat('Customer ', left(h, 32)), concat('c', n, '@example.org'),
       CASE WHEN chance < 0.03 THEN 'vip' WHEN chance < 0.20 THEN 'business' WHEN chance < 0.50 THEN 'family'
            ELSE 'single' END,
       concat('City ', city), concat('Region ', city % 8),
       1940 + floor(66 * conv(substr(h, 17, 8), 16, 10) / 4294967296),
       date '2015-01-01' + INTERVAL floor(3600.0 * n / (12000.0 * @scale)) DAY
FROM (SELECT n, h, conv(left(h, 8), 16, 10) / 4294967296 AS chance,
             floor(60 * pow(conv(substr(h, 9, 8), 16, 10) / 4294967296, 2)) AS city
      FROM (SELECT n, sha2(concat('customer', n), 256) AS h
            FROM (SELECT 1 + thousands.n * 1000 + ones.n AS n
                  FROM thousands CROSS JOIN ones WHERE thousands.n < 12 * @scale) AS numbers) AS hashed) AS customers;
