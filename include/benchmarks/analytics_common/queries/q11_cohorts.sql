-- A CTE used twice: who bought first in which quarter, and in which later quarters came again.
WITH purchases AS (
    SELECT customer_id, makedate(year(sold_on), 1) + INTERVAL quarter(sold_on) * 3 - 3 MONTH AS first_day,
           sum(amount) AS spent
    FROM sales
    WHERE sold_on >= date '2022-01-01'
    GROUP BY customer_id, first_day
), first_purchase AS (
    SELECT customer_id, min(first_day) AS cohort FROM purchases GROUP BY customer_id
)
SELECT f.cohort, p.first_day, count(*) AS customers, sum(p.spent) AS spent
FROM first_purchase AS f
JOIN purchases AS p USING (customer_id)
GROUP BY f.cohort, p.first_day
ORDER BY f.cohort, p.first_day;
