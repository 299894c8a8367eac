-- Subtotals on four levels over one year, found through the index on the day or by a scan.
SELECT *
FROM (
    SELECT s.region, s.channel, p.category, c.month_name, sum(f.amount) AS revenue, sum(f.quantity) AS pieces
    FROM sales AS f
    JOIN calendar AS c ON c.day = f.sold_on
    JOIN store AS s USING (store_id)
    JOIN product AS p USING (product_id)
    WHERE f.sold_on BETWEEN date '2023-01-01' AND date '2023-12-31'
    GROUP BY s.region, s.channel, p.category, c.month_name WITH ROLLUP
) AS totals
ORDER BY region, channel, category, month_name;
