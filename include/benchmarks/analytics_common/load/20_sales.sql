-- @part of @parts of the sales. They are stored roughly in the order of time, as facts are; each customer's and each
-- product's rows lie all over the table. Old customers and low product numbers are bought most (a power law).
INSERT INTO sales
SELECT n, sold_on, customer_id, product_id, store_id, quantity, unit_price, discount,
       round(quantity * unit_price * (1 - discount), 2), if(discount > 0.20, coupon, NULL),
       concat('order ', left(sha2(n DIV 3, 256), 32))
FROM (
    SELECT n,
           date '2020-01-01' + INTERVAL least(1826, floor(1820.0 * n / (100000 * @scale)
               + 7 * conv(left(h, 8), 16, 10) / 4294967296)) DAY AS sold_on,
           1 + floor(12000 * @scale * pow(conv(left(g, 8), 16, 10) / 4294967296, 2)) AS customer_id,
           product_id,
           1 + floor(200 * pow(conv(substr(g, 9, 8), 16, 10) / 4294967296, 1.5)) AS store_id,
           1 + floor(6 * pow(conv(substr(h, 17, 8), 16, 10) / 4294967296, 3)) AS quantity,
           round(2 + 498 * pow(conv(left(sha2(concat('price', product_id), 256), 8), 16, 10) / 4294967296, 3), 2)
               AS unit_price,
           if(conv(substr(h, 25, 8), 16, 10) / 4294967296 < 0.7, 0,
              round(0.4 * conv(substr(h, 33, 8), 16, 10) / 4294967296, 2)) AS discount,
           concat('SAVE', floor(40 * conv(substr(h, 41, 8), 16, 10) / 4294967296)) AS coupon
    FROM (
        SELECT n, h, g, 1 + floor(2000 * @scale * pow(conv(substr(h, 9, 8), 16, 10) / 4294967296, 2.5)) AS product_id
        FROM (SELECT n, sha2(concat('sale', n), 256) AS h, sha2(concat('order', n DIV 3), 256) AS g
              FROM (SELECT 1 + thousands.n * 1000 + ones.n AS n
                    FROM thousands CROSS JOIN ones WHERE thousands.n % @parts = @part) AS numbers) AS hashed
    ) AS drawn
) AS raw;
