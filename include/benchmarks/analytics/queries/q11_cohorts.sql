-- A CTE used twice: who bought first in which quarter, and in which later quarters came again.
WITH purchases AS (
    SELECT customer_id, date_trunc('quarter', sold_on::timestamp)::date AS quarter, sum(amount) AS spent
    FROM sales
    WHERE sold_on >= date '2022-01-01'
    GROUP BY 1, 2
), first_purchase AS (
    SELECT customer_id, min(quarter) AS cohort FROM purchases GROUP BY customer_id
)
SELECT f.cohort, p.quarter, count(*) AS customers, sum(p.spent) AS spent
FROM first_purchase AS f
JOIN purchases AS p USING (customer_id)
GROUP BY f.cohort, p.quarter
ORDER BY f.cohort, p.quarter;
