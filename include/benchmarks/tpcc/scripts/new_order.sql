-- New-Order (clause 2.4): an order of 5 to 15 lines. One line in a hundred is supplied by another warehouse; one order
-- in a hundred ends with an item that does not exist, and is rolled back.
\set w random(1, :scale)
\set d random(1, 10)
\set c 1 + ((random(0, 1023) | random(1, 3000)) + 259) % 3000
\set lines random(5, 15)
\set mistake random(1, 100)
\set i1 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s1 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q1 random(1, 10)
\set i2 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s2 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q2 random(1, 10)
\set i3 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s3 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q3 random(1, 10)
\set i4 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s4 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q4 random(1, 10)
\set i5 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s5 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q5 random(1, 10)
\set i6 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s6 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q6 random(1, 10)
\set i7 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s7 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q7 random(1, 10)
\set i8 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s8 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q8 random(1, 10)
\set i9 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s9 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q9 random(1, 10)
\set i10 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s10 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q10 random(1, 10)
\set i11 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s11 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q11 random(1, 10)
\set i12 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s12 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q12 random(1, 10)
\set i13 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s13 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q13 random(1, 10)
\set i14 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s14 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q14 random(1, 10)
\set i15 1 + ((random(0, 8191) | random(1, 100000)) + 7911) % 100000
\set s15 case when random(1, 100) = 1 then 1 + (:w - 1 + random(1, greatest(:scale - 1, 1))) % :scale else :w end
\set q15 random(1, 10)

BEGIN;
SELECT w_tax, c_discount, c_last, c_credit
FROM tpcc.warehouse, tpcc.customer
WHERE w_id = :w AND c_w_id = :w AND c_d_id = :d AND c_id = :c \gset

UPDATE tpcc.district SET d_next_o_id = d_next_o_id + 1
WHERE d_w_id = :w AND d_id = :d
RETURNING d_next_o_id - 1 AS o, d_tax \gset

INSERT INTO tpcc.orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_carrier_id, o_ol_cnt, o_all_local)
VALUES (:o, :d, :w, :c, localtimestamp, NULL, :lines,
        (:w = ALL (
            (ARRAY[:s1, :s2, :s3, :s4, :s5, :s6, :s7, :s8, :s9, :s10, :s11, :s12, :s13, :s14, :s15]::int[])
            [1 : :lines]))::int);

INSERT INTO tpcc.new_order (no_o_id, no_d_id, no_w_id) VALUES (:o, :d, :w);

-- The rows of stock are locked in the order of their key, so that no two orders wait for each other in a ring.
SELECT s_i_id, s_w_id, s_quantity, s_data
FROM tpcc.stock
WHERE (s_w_id, s_i_id) IN (
    SELECT supply, item
    FROM unnest(ARRAY[:s1, :s2, :s3, :s4, :s5, :s6, :s7, :s8, :s9, :s10, :s11, :s12, :s13, :s14, :s15]::int[],
                ARRAY[:i1, :i2, :i3, :i4, :i5, :i6, :i7, :i8, :i9, :i10, :i11, :i12, :i13, :i14, :i15]::int[])
         WITH ORDINALITY AS line (supply, item, number)
    WHERE number < :lines OR (number = :lines AND :mistake > 1))
ORDER BY s_w_id, s_i_id
FOR UPDATE;

WITH line AS MATERIALIZED (
    SELECT number, supply, quantity, CASE WHEN number = :lines AND :mistake = 1 THEN 0 ELSE item END AS item
    FROM unnest(ARRAY[:s1, :s2, :s3, :s4, :s5, :s6, :s7, :s8, :s9, :s10, :s11, :s12, :s13, :s14, :s15]::int[],
                ARRAY[:i1, :i2, :i3, :i4, :i5, :i6, :i7, :i8, :i9, :i10, :i11, :i12, :i13, :i14, :i15]::int[],
                ARRAY[:q1, :q2, :q3, :q4, :q5, :q6, :q7, :q8, :q9, :q10, :q11, :q12, :q13, :q14, :q15]::int[])
         WITH ORDINALITY AS line (supply, item, quantity, number)
    WHERE number <= :lines
), taken AS (
    UPDATE tpcc.stock
    SET s_quantity = s_quantity - sold + CASE WHEN s_quantity - sold >= 10 THEN 0 ELSE 91 END, s_ytd = s_ytd + sold,
        s_order_cnt = s_order_cnt + times, s_remote_cnt = s_remote_cnt + CASE WHEN supply = :w THEN 0 ELSE times END
    FROM (SELECT supply, item, sum(quantity) AS sold, count(*) AS times FROM line GROUP BY supply, item) AS asked
    WHERE s_w_id = supply AND s_i_id = item
    RETURNING s_w_id, s_i_id,
        CASE :d::int WHEN 1 THEN s_dist_01 WHEN 2 THEN s_dist_02 WHEN 3 THEN s_dist_03 WHEN 4 THEN s_dist_04
                WHEN 5 THEN s_dist_05 WHEN 6 THEN s_dist_06 WHEN 7 THEN s_dist_07 WHEN 8 THEN s_dist_08
                WHEN 9 THEN s_dist_09 ELSE s_dist_10 END AS dist_info
), ordered AS (
    INSERT INTO tpcc.order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, ol_delivery_d,
                                 ol_quantity, ol_amount, ol_dist_info)
    SELECT :o, :d, :w, number, item, supply, NULL, quantity, quantity * i_price, dist_info
    FROM line JOIN tpcc.item ON i_id = item JOIN taken ON s_w_id = supply AND s_i_id = item
    RETURNING ol_amount
)
SELECT count(*) AS found, sum(ol_amount) * (1 - :c_discount::numeric) * (1 + :w_tax::numeric + :d_tax::numeric) AS total
FROM ordered \gset

\if :found < :lines
ROLLBACK;
\else
COMMIT;
\endif
