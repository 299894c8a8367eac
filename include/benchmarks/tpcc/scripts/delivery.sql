-- Delivery (clause 2.7): the oldest new order of each of a warehouse's ten districts, delivered in one transaction.
\set w random(1, :scale)
\set carrier random(1, 10)

BEGIN;
-- Another delivery of the warehouse waits here, in the order of the districts, and then finds the next orders.
WITH oldest AS MATERIALIZED (
    SELECT d, no_o_id AS o
    FROM generate_series(1, 10) AS d,
         LATERAL (SELECT no_o_id FROM tpcc.new_order WHERE no_w_id = :w AND no_d_id = d
                  ORDER BY no_o_id LIMIT 1 FOR UPDATE) AS first
), delivered AS (
    DELETE FROM tpcc.new_order USING oldest
    WHERE no_w_id = :w AND no_d_id = d AND no_o_id = o
    RETURNING d, o
), shipped AS (
    UPDATE tpcc.orders SET o_carrier_id = :carrier
    FROM delivered
    WHERE o_w_id = :w AND o_d_id = d AND o_id = o
    RETURNING o_d_id, o_id, o_c_id
), lines AS (
    UPDATE tpcc.order_line SET ol_delivery_d = localtimestamp
    FROM delivered
    WHERE ol_w_id = :w AND ol_d_id = d AND ol_o_id = o
    RETURNING ol_d_id, ol_amount
)
UPDATE tpcc.customer
SET c_balance = c_balance + total, c_delivery_cnt = c_delivery_cnt + 1
FROM shipped JOIN (SELECT ol_d_id, sum(ol_amount) AS total FROM lines GROUP BY ol_d_id) AS sums ON ol_d_id = o_d_id
WHERE c_w_id = :w AND c_d_id = o_d_id AND c_id = o_c_id;
COMMIT;
