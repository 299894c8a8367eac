-- A dashboard of eight tiles, one a region: what its best customers bought, by category, and what came back.
SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 0' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 1' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 2' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 3' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 4' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 5' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 6' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;

SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returned,
       sum(f.amount * r.refund_share) AS refunded
FROM customer AS cu
JOIN sales AS f USING (customer_id)
JOIN product AS p USING (product_id)
LEFT JOIN returned AS r USING (sale_id)
WHERE cu.region = 'Region 7' AND cu.segment = 'vip'
GROUP BY p.category
ORDER BY revenue DESC;
