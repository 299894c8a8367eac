-- One group a customer, then a ranking of all groups: temporary tables and a sort that want memory.
WITH worth AS (
    SELECT customer_id, sum(amount) AS spent, count(*) AS sales, count(DISTINCT sold_on) AS days,
           max(sold_on) AS last_sale
    FROM sales
    GROUP BY customer_id
), ranked AS (
    SELECT worth.*, ntile(10) OVER (ORDER BY spent DESC) AS decile FROM worth
)
SELECT decile, count(*) AS customers, sum(spent) AS spent, avg(sales) AS sales, avg(days) AS days,
       avg(datediff(date '2024-12-31', last_sale)) AS days_since_last
FROM ranked
GROUP BY decile
ORDER BY decile;
