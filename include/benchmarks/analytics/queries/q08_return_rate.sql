-- Fact joined with fact on a key that both have an index on: hash, merge or nested loop, all can be right.
SELECT p.category, r.reason, count(*) AS returns, sum(f.amount * r.refund_share) AS refunded,
       avg(r.returned_on - f.sold_on) AS days_kept
FROM returns AS r
JOIN sales AS f USING (sale_id)
JOIN product AS p USING (product_id)
GROUP BY p.category, r.reason
ORDER BY p.category, r.reason;
