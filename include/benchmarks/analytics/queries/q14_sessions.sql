-- Visits cut into sessions where a customer paused for half an hour: two windows over one sort of the larger part
-- of a table.
WITH marked AS (
    SELECT customer_id, device, visited_at, duration_ms,
           visited_at - lag(visited_at) OVER w > interval '30 minutes' AS new_session
    FROM visits
    WHERE visited_at >= timestamp '2022-01-01'
    WINDOW w AS (PARTITION BY customer_id ORDER BY visited_at)
), numbered AS (
    SELECT customer_id, device, duration_ms,
           count(*) FILTER (WHERE new_session) OVER (PARTITION BY customer_id ORDER BY visited_at) AS session
    FROM marked
)
SELECT device, count(*) AS sessions, avg(pages) AS pages, avg(seconds) AS seconds
FROM (SELECT customer_id, device, session, count(*) AS pages, sum(duration_ms) / 1000.0 AS seconds
      FROM numbered
      GROUP BY customer_id, device, session) AS sessions
GROUP BY device
ORDER BY device;
