-- Stock-Level (clause 2.8): how many items of a district's last twenty orders are short.
\set w random(1, :scale)
\set d random(1, 10)
\set least random(10, 20)

BEGIN;
SELECT d_next_o_id AS o FROM tpcc.district WHERE d_w_id = :w AND d_id = :d \gset

SELECT count(DISTINCT s_i_id)
FROM tpcc.order_line JOIN tpcc.stock ON s_w_id = :w AND s_i_id = ol_i_id
WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id >= :o - 20 AND ol_o_id < :o AND s_quantity < :least;
COMMIT;
