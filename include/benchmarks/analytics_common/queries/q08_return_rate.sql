-- Fact joined with fact on a key that both have an index on.
SELECT p.category, r.reason, count(*) AS returned, sum(f.amount * r.refund_share) AS refunded,
       avg(datediff(r.returned_on, f.sold_on)) AS days_kept
FROM returned AS r
JOIN sales AS f USING (sale_id)
JOIN product AS p USING (product_id)
GROUP BY p.category, r.reason
ORDER BY p.category, r.reason;
