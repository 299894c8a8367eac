-- A dashboard of thirty-six tiles, one a city: what its customers bought and looked at, found through two indexes.
SELECT format($tile$
    SELECT cu.segment, count(*) AS customers, sum(bought.sales) AS sales, sum(bought.revenue) AS revenue,
           sum(seen.visits) AS visits
    FROM customer AS cu
    LEFT JOIN (SELECT customer_id, count(*) AS sales, sum(amount) AS revenue
               FROM sales JOIN customer USING (customer_id)
               WHERE city = %1$L GROUP BY customer_id) AS bought USING (customer_id)
    LEFT JOIN (SELECT customer_id, count(*) AS visits
               FROM visits JOIN customer USING (customer_id)
               WHERE city = %1$L GROUP BY customer_id) AS seen USING (customer_id)
    WHERE cu.city = %1$L
    GROUP BY cu.segment
    ORDER BY cu.segment
$tile$, 'City ' || number)
FROM generate_series(24, 59) AS number
\gexec
