-- Visits cut into sessions where a customer paused for half an hour: two windows over sorts of the larger part of a
-- table.
WITH marked AS (
    SELECT customer_id, device, visited_at, duration_ms,
           timestampdiff(SECOND, lag(visited_at) OVER (PARTITION BY customer_id ORDER BY visited_at), visited_at) > 1800
               AS new_session
    FROM visits
    WHERE visited_at >= timestamp '2022-01-01 00:00:00'
), numbered AS (
    SELECT customer_id, device, duration_ms,
           sum(coalesce(new_session, 0)) OVER (PARTITION BY customer_id ORDER BY visited_at) AS session_number
    FROM marked
)
SELECT device, count(*) AS sessions, avg(pages) AS pages, avg(seconds) AS seconds
FROM (SELECT customer_id, device, session_number, count(*) AS pages, sum(duration_ms) / 1000.0 AS seconds
      FROM numbered
      GROUP BY customer_id, device, session_number) AS sessions
GROUP BY device
ORDER BY device;
