-- A page for each customer, as a portal shows it: what was bought, when it was last here. Tens of thousands of short
-- looks through two indexes: caching is all.
SELECT region, count(*) AS customers, avg(spent) AS spent, avg(pieces) AS pieces, count(last_seen) AS visitors
FROM (
    SELECT cu.region,
           (SELECT sum(f.amount) FROM sales AS f
             WHERE f.customer_id = cu.customer_id AND f.sold_on >= date '2024-01-01') AS spent,
           (SELECT sum(f.quantity) FROM sales AS f
             WHERE f.customer_id = cu.customer_id AND f.sold_on >= date '2024-01-01') AS pieces,
           (SELECT max(v.visited_at) FROM visits AS v WHERE v.customer_id = cu.customer_id) AS last_seen
    FROM customer AS cu
    WHERE cu.joined_on < date '2020-01-01' OR cu.segment <> 'business'
) AS profiles
GROUP BY region
ORDER BY region;
