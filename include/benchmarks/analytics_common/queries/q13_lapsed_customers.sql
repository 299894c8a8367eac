-- Who looked around in the last quarter but bought nothing in the last year: a semi-join and an anti-join.
SELECT cu.region, cu.segment, count(*) AS customers, avg(2024 - cu.born_in) AS age
FROM customer AS cu
WHERE EXISTS (SELECT 1 FROM visits AS v
              WHERE v.customer_id = cu.customer_id AND v.visited_at >= timestamp '2024-10-01 00:00:00')
  AND NOT EXISTS (SELECT 1 FROM sales AS f
                  WHERE f.customer_id = cu.customer_id AND f.sold_on >= date '2024-01-01')
GROUP BY cu.region, cu.segment
ORDER BY cu.region, cu.segment;
