-- A page for each customer, as a portal shows it: the latest purchases, visits and returns, through three indexes. Tens
-- of thousands of short looks that the planner holds for dear: caching, page costs and compilation count.
SELECT cu.region, count(*) AS customers, avg(bought.spent) AS spent, avg(bought.pieces) AS pieces,
       count(seen.visited_at) AS visitors, avg(seen.duration_ms) AS duration_ms
FROM customer AS cu
CROSS JOIN LATERAL (
    SELECT sum(f.amount) AS spent, sum(f.quantity) AS pieces
    FROM (SELECT amount, quantity FROM sales WHERE customer_id = cu.customer_id ORDER BY sold_on DESC LIMIT 10) AS f
) AS bought
LEFT JOIN LATERAL (
    SELECT v.visited_at, v.duration_ms
    FROM visits AS v
    WHERE v.customer_id = cu.customer_id
    ORDER BY v.visited_at DESC
    LIMIT 1
) AS seen ON true
WHERE cu.joined_on < date '2020-01-01' OR cu.segment <> 'business'
GROUP BY cu.region
ORDER BY cu.region;
