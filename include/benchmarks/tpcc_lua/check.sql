-- Consistency conditions 1 to 4 (clause 3.3.2). Each row is a sentence that says what is wrong; three of a kind do.
SELECT concat('there are ', w, ' warehouses and ', d, ' districts, not ', @scale, ' and ', 10 * @scale)
FROM (SELECT count(*) AS w FROM warehouse) AS ws, (SELECT count(*) AS d FROM district) AS ds
WHERE w <> @scale OR d <> 10 * @scale;

SELECT concat('condition 1: w_ytd of warehouse ', w_id, ' is ', w_ytd, ', but the d_ytd of its districts sum to ',
              ifnull(total, 'nothing'))
FROM warehouse LEFT JOIN (SELECT d_w_id, sum(d_ytd) AS total FROM district GROUP BY d_w_id) AS sums ON d_w_id = w_id
WHERE NOT w_ytd <=> total ORDER BY w_id LIMIT 3;

SELECT concat('condition 2: the next order of district ', d_id, ' of warehouse ', d_w_id, ' is ', d_next_o_id,
              ', but its last order is ', ifnull(newest, 'none'), ' and its last new order ',
              ifnull(newest_new, 'none'))
FROM (SELECT d_id, d_w_id, d_next_o_id,
             (SELECT max(o_id) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id) AS newest,
             (SELECT max(no_o_id) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id) AS newest_new
      FROM district) AS found
WHERE NOT d_next_o_id - 1 <=> newest OR newest_new <> newest ORDER BY d_w_id, d_id LIMIT 3;

SELECT concat('condition 3: district ', no_d_id, ' of warehouse ', no_w_id, ' has ', count(*),
              ' new orders, but they are numbered from ', min(no_o_id), ' to ', max(no_o_id))
FROM new_order GROUP BY no_w_id, no_d_id HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)
ORDER BY no_w_id, no_d_id LIMIT 3;

SELECT concat('condition 4: the orders of district ', d, ' of warehouse ', w, ' have ', wanted,
              ' lines by their o_ol_cnt, but there are ', ifnull(found, 0))
FROM (SELECT o_w_id AS w, o_d_id AS d, sum(o_ol_cnt) AS wanted FROM orders GROUP BY o_w_id, o_d_id) AS o
     LEFT JOIN (SELECT ol_w_id, ol_d_id, count(*) AS found FROM order_line GROUP BY ol_w_id, ol_d_id) AS l
     ON ol_w_id = w AND ol_d_id = d
WHERE NOT wanted <=> found ORDER BY w, d LIMIT 3;
