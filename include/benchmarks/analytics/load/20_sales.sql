-- Stored roughly in the order of time, as facts are; each customer's and each product's rows lie all over the table.
-- Old customers and low product numbers are bought most (a power law).
INSERT INTO sales
SELECT n, sold_on, customer_id, product_id, store_id, quantity, unit_price, discount,
       round(quantity * unit_price * (1 - discount), 2),
       CASE WHEN discount > 0.20 THEN 'SAVE' || floor(40 * uniform(n, 57))::int END,
       'order ' || md5((n / 3)::text)
FROM (
    SELECT n,
           date '2020-01-01' + least(1826, floor(1820.0 * n / (100000 * :scale) + 7 * uniform(n, 50))::int) AS sold_on,
           1 + floor(12000 * :scale * uniform(n / 3, 51) ^ 2)::int AS customer_id,
           1 + floor(2000 * :scale * uniform(n, 52) ^ 2.5)::int AS product_id,
           1 + floor(200 * uniform(n / 3, 53) ^ 1.5)::int AS store_id,
           1 + floor(6 * uniform(n, 54) ^ 3)::int AS quantity,
           list_price(1 + floor(2000 * :scale * uniform(n, 52) ^ 2.5)::int) AS unit_price,
           CASE WHEN uniform(n, 55) < 0.7 THEN 0 ELSE round((0.4 * uniform(n, 56))::numeric, 2) END AS discount
    FROM generate_series(1, 100000 * :scale) AS n
) AS raw;
