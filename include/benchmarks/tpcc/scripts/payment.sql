-- Payment (clause 2.5): 15 in 100 are of a customer of another warehouse, 60 in 100 name the customer by last name.
\set w random(1, :scale)
\set d random(1, 10)
\set remote random(1, 100)
\set cw case when :remote <= 15 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set cd case when :remote <= 15 then random(1, 10) else :d end
\set by_name random(1, 100)
\set name ((random(0, 255) | random(0, 999)) + 223) % 1000
\set c 1 + ((random(0, 1023) | random(1, 3000)) + 259) % 3000
\set cents random(100, 500000)

BEGIN;
UPDATE tpcc.warehouse SET w_ytd = w_ytd + :cents::numeric / 100
WHERE w_id = :w
RETURNING w_name, w_street_1, w_street_2, w_city, w_state, w_zip;

UPDATE tpcc.district SET d_ytd = d_ytd + :cents::numeric / 100
WHERE d_w_id = :w AND d_id = :d
RETURNING d_name, d_street_1, d_street_2, d_city, d_state, d_zip;

\if :by_name <= 60
SELECT c_id AS c
FROM (SELECT c_id, row_number() OVER (ORDER BY c_first, c_id) AS place, count(*) OVER () AS found
      FROM tpcc.customer
      WHERE c_w_id = :cw AND c_d_id = :cd AND c_last = tpcc.last_name(:name)) AS namesakes
WHERE place = (found + 1) / 2 \gset
\endif

UPDATE tpcc.customer
SET c_balance = c_balance - :cents::numeric / 100, c_ytd_payment = c_ytd_payment + :cents::numeric / 100,
    c_payment_cnt = c_payment_cnt + 1,
    c_data = CASE WHEN c_credit = 'BC'
        THEN left(concat_ws(' ', c_id, c_d_id, c_w_id, :d::int, :w::int, :cents::int, c_data), 500) ELSE c_data END
WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c
RETURNING c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, c_credit,
    c_credit_lim, c_discount, c_balance, CASE WHEN c_credit = 'BC' THEN left(c_data, 200) END AS c_data;

INSERT INTO tpcc.history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data)
SELECT :c, :cd, :cw, :d, :w, localtimestamp, :cents::numeric / 100, w_name || '    ' || d_name
FROM tpcc.warehouse, tpcc.district
WHERE w_id = :w AND d_w_id = :w AND d_id = :d;
COMMIT;
