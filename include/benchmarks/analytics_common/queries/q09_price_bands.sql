-- Many expressions on every row of a long scan.
SELECT store_id % 10 AS store_group,
       sum(unit_price < 10) AS below_10,
       sum(unit_price BETWEEN 10 AND 100) AS to_100,
       sum(unit_price > 100) AS above_100,
       sum(CASE WHEN discount > 0 THEN amount ELSE 0 END) AS discounted,
       sum(CASE WHEN coupon IS NOT NULL THEN quantity * unit_price * discount ELSE 0 END) AS given_away,
       sum(CASE WHEN weekday(sold_on) >= 5 THEN amount ELSE 0 END) AS at_weekends,
       avg(amount / quantity) AS mean_piece,
       stddev_pop(ln(1 + amount)) AS spread,
       (avg(quantity * unit_price) - avg(quantity) * avg(unit_price))
           / (stddev_pop(quantity) * stddev_pop(unit_price)) AS quantity_by_price,
       sum(note LIKE 'order a%' AND quantity * 2 + store_id % 7 > 5) AS odd_ones
FROM sales
WHERE amount > 1 AND quantity < 100
GROUP BY store_id % 10
ORDER BY store_group;
