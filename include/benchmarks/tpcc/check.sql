-- Consistency conditions 1 to 4 (clause 3.3.2). Each row is a sentence that says what is wrong; three of a kind do.
SELECT format('there are %s warehouses and %s districts, not %s and %s', w, d, :scale, 10 * :scale)
FROM (SELECT count(*) AS w FROM warehouse) AS w, (SELECT count(*) AS d FROM district) AS d
WHERE (w, d) <> (:scale, 10 * :scale);

SELECT format('condition 1: w_ytd of warehouse %s is %s, but the d_ytd of its districts sum to %s', w_id, w_ytd, total)
FROM warehouse LEFT JOIN (SELECT d_w_id, sum(d_ytd) AS total FROM district GROUP BY d_w_id) AS sums ON d_w_id = w_id
WHERE w_ytd IS DISTINCT FROM total ORDER BY w_id LIMIT 3;

SELECT format('condition 2: the next order of district %s of warehouse %s is %s, but its last order is %s and its last '
              'new order %s', d_id, d_w_id, d_next_o_id, newest, newest_new)
FROM district,
     LATERAL (SELECT max(o_id) AS newest FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id) AS o,
     LATERAL (SELECT max(no_o_id) AS newest_new FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id) AS n
WHERE d_next_o_id - 1 IS DISTINCT FROM newest OR newest_new <> newest ORDER BY d_w_id, d_id LIMIT 3;

SELECT format('condition 3: district %s of warehouse %s has %s new orders, but they are numbered from %s to %s',
              no_d_id, no_w_id, count(*), min(no_o_id), max(no_o_id))
FROM new_order GROUP BY no_w_id, no_d_id HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)
ORDER BY no_w_id, no_d_id LIMIT 3;

SELECT format('condition 4: the orders of district %s of warehouse %s have %s lines by their o_ol_cnt, but there are '
              '%s', d, w, wanted, lines)
FROM (SELECT o_w_id AS w, o_d_id AS d, sum(o_ol_cnt) AS wanted FROM orders GROUP BY o_w_id, o_d_id) AS o
     FULL JOIN (SELECT ol_w_id AS w, ol_d_id AS d, count(*) AS lines FROM order_line GROUP BY ol_w_id, ol_d_id) AS l
     USING (w, d)
WHERE wanted IS DISTINCT FROM lines ORDER BY w, d LIMIT 3;
