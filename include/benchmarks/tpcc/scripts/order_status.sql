-- Order-Status (clause 2.6): a customer's last order and its lines; 60 in 100 name the customer by last name.
\set w random(1, :scale)
\set d random(1, 10)
\set by_name random(1, 100)
\set name ((random(0, 255) | random(0, 999)) + 223) % 1000
\set c 1 + ((random(0, 1023) | random(1, 3000)) + 259) % 3000

BEGIN;
\if :by_name <= 60
SELECT c_id AS c
FROM (SELECT c_id, row_number() OVER (ORDER BY c_first, c_id) AS place, count(*) OVER () AS found
      FROM tpcc.customer
      WHERE c_w_id = :w AND c_d_id = :d AND c_last = tpcc.last_name(:name)) AS namesakes
WHERE place = (found + 1) / 2 \gset
\endif

SELECT c_balance, c_first, c_middle, c_last FROM tpcc.customer WHERE c_w_id = :w AND c_d_id = :d AND c_id = :c;

SELECT o_id AS o, o_entry_d, o_carrier_id
FROM tpcc.orders
WHERE o_w_id = :w AND o_d_id = :d AND o_c_id = :c
ORDER BY o_id DESC LIMIT 1 \gset

SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d
FROM tpcc.order_line
WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id = :o;
COMMIT;
