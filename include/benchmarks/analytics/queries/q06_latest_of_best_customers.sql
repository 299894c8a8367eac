-- Thousands of short looks into an index, each to a few scattered pages of the fact table: caching is all.
SELECT cu.region, count(*) AS sales, avg(latest.amount) AS mean_amount, max(latest.sold_on) AS newest
FROM customer AS cu
CROSS JOIN LATERAL (
    SELECT f.amount, f.sold_on
    FROM sales AS f
    WHERE f.customer_id = cu.customer_id
    ORDER BY f.sold_on DESC
    LIMIT 5
) AS latest
WHERE cu.segment = 'business'
GROUP BY cu.region
ORDER BY cu.region;
