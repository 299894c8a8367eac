-- A plain star join: one long scan, small look-ups, few groups.
SELECT c.year, c.month, s.region, s.channel, count(*) AS sales, sum(f.amount) AS revenue, avg(f.discount) AS discount
FROM sales AS f
JOIN calendar AS c ON c.day = f.sold_on
JOIN store AS s USING (store_id)
GROUP BY c.year, c.month, s.region, s.channel
ORDER BY c.year, c.month, s.region, s.channel;
