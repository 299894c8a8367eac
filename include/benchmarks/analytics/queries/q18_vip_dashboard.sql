-- A dashboard of eight tiles, one a region: what its best customers bought, by category, and what came back.
SELECT format($tile$
    SELECT p.category, count(*) AS sales, sum(f.amount) AS revenue, count(r.return_id) AS returns,
           sum(f.amount * r.refund_share) AS refunded
    FROM customer AS cu
    JOIN sales AS f USING (customer_id)
    JOIN product AS p USING (product_id)
    LEFT JOIN returns AS r USING (sale_id)
    WHERE cu.region = %L AND cu.segment = 'vip'
    GROUP BY p.category
    ORDER BY revenue DESC
$tile$, 'Region ' || number)
FROM generate_series(0, 7) AS number
\gexec
