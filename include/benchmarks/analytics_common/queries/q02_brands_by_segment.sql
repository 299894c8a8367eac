-- Two dimensions that are large beside the join buffer, and many groups.
SELECT cu.segment, cu.city, p.brand, sum(f.quantity) AS pieces, sum(f.amount) AS revenue
FROM sales AS f
JOIN customer AS cu USING (customer_id)
JOIN product AS p USING (product_id)
GROUP BY cu.segment, cu.city, p.brand
ORDER BY revenue DESC
LIMIT 100;
