-- Every day of every store, days without a sale as well, smoothed over four weeks: a temporary table with a key of its
-- own, and a window over a sort.
SELECT region, year, max(smooth) AS best_four_weeks, min(smooth) AS worst_four_weeks
FROM (
    SELECT s.region, c.year,
           avg(coalesce(d.revenue, 0)) OVER (PARTITION BY s.store_id ORDER BY c.day
                                             ROWS BETWEEN 27 PRECEDING AND CURRENT ROW) AS smooth
    FROM calendar AS c
    CROSS JOIN store AS s
    LEFT JOIN (SELECT store_id, sold_on, sum(amount) AS revenue
               FROM sales
               WHERE sold_on >= date '2023-01-01'
               GROUP BY store_id, sold_on) AS d ON d.store_id = s.store_id AND d.sold_on = c.day
    WHERE c.day >= date '2023-01-01'
) AS grid
GROUP BY region, year
ORDER BY region, year;
