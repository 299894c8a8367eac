-- A dashboard of twelve tiles, one a subcategory: months of revenue, half a percent of the fact table each, scattered
-- over all of it. How fast a scattered page comes, is for the pool to say.
SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 3'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 21'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 44'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 58'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 76'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 93'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 121'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 142'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 160'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 188'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 205'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;

SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory = 'Subcategory 231'
GROUP BY c.year, c.month
ORDER BY c.year, c.month;
