-- Many expressions on every row: compiling them pays if the scan is long.
SELECT store_id % 10 AS store_group,
       count(*) FILTER (WHERE unit_price < 10) AS below_10,
       count(*) FILTER (WHERE unit_price BETWEEN 10 AND 100) AS to_100,
       count(*) FILTER (WHERE unit_price > 100) AS above_100,
       sum(CASE WHEN discount > 0 THEN amount ELSE 0 END) AS discounted,
       sum(CASE WHEN coupon IS NOT NULL THEN quantity * unit_price * discount ELSE 0 END) AS given_away,
       sum(CASE WHEN extract(isodow FROM sold_on) >= 6 THEN amount ELSE 0 END) AS at_weekends,
       avg(amount::float8 / quantity) AS mean_piece,
       stddev_pop(ln(1 + amount::float8)) AS spread,
       corr(quantity, unit_price::float8) AS quantity_by_price,
       count(*) FILTER (WHERE note LIKE 'order a%' AND quantity * 2 + store_id % 7 > 5) AS odd_ones
FROM sales
WHERE amount > 1 AND quantity < 100
GROUP BY store_id % 10
ORDER BY store_group;
