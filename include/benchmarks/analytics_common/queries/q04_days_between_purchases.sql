-- A window over most of the fact table: a sort larger than its buffer.
SELECT cu.segment, avg(gap) AS mean_gap, stddev_samp(gap) AS spread, count(*) AS gaps
FROM (
    SELECT customer_id, datediff(sold_on, lag(sold_on) OVER (PARTITION BY customer_id ORDER BY sold_on)) AS gap
    FROM sales
    WHERE sold_on >= date '2022-01-01'
) AS purchases
JOIN customer AS cu USING (customer_id)
WHERE gap > 0
GROUP BY cu.segment
ORDER BY cu.segment;
