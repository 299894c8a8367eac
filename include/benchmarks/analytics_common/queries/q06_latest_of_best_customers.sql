-- Thousands of looks into an index, each to a few scattered pages of the fact table, then a ranking within each.
SELECT region, count(*) AS sales, avg(amount) AS mean_amount, max(sold_on) AS newest
FROM (
    SELECT cu.region, f.amount, f.sold_on,
           row_number() OVER (PARTITION BY f.customer_id ORDER BY f.sold_on DESC) AS place
    FROM customer AS cu
    JOIN sales AS f USING (customer_id)
    WHERE cu.segment = 'business'
) AS latest
WHERE place <= 5
GROUP BY region
ORDER BY region;
