-- count(DISTINCT) sorts within every group.
SELECT c.year, c.quarter, p.category, count(DISTINCT f.customer_id) AS buyers, count(DISTINCT f.store_id) AS stores,
       sum(f.amount) AS revenue
FROM sales AS f
JOIN calendar AS c ON c.day = f.sold_on
JOIN product AS p USING (product_id)
WHERE f.sold_on BETWEEN date '2022-07-01' AND date '2024-06-30'
GROUP BY c.year, c.quarter, p.category
ORDER BY c.year, c.quarter, p.category;
