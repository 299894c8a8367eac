-- A dashboard of twelve tiles, one a subcategory: months of revenue, a percent of the fact table each, scattered over
-- all of it. Through the index or not is for the page costs to say; how fast a scattered page comes, for the caches.
SELECT format($tile$
    SELECT c.year, c.month, sum(f.quantity) AS pieces, sum(f.amount) AS revenue, count(DISTINCT f.customer_id) AS buyers
    FROM product AS p
    JOIN sales AS f USING (product_id)
    JOIN calendar AS c ON c.day = f.sold_on
    WHERE p.subcategory = %L
    GROUP BY c.year, c.month
    ORDER BY c.year, c.month
$tile$, 'Subcategory ' || number)
FROM unnest(ARRAY[3, 21, 44, 58, 76, 93, 121, 142, 160, 188, 205, 231]) AS number
\gexec
