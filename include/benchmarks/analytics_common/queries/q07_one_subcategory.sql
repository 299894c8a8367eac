-- Half a percent of the fact table, scattered: through the index, if its pages are at hand.
SELECT p.brand, c.year, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
FROM product AS p
JOIN sales AS f USING (product_id)
JOIN calendar AS c ON c.day = f.sold_on
WHERE p.subcategory IN ('Subcategory 17', 'Subcategory 118')
GROUP BY p.brand, c.year
ORDER BY p.brand, c.year;
