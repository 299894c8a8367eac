-- The nine tables of TPC-C (clause 1.3), with their keys: InnoDB keeps a table in the order of its key. @scale is the
-- number of warehouses. Every value is a hash of its row's keys, so the same scale gives the same data everywhere.
DROP TABLE IF EXISTS warehouse, district, customer, history, new_order, orders, order_line, item, stock,
    tpcc_numbers;
CREATE TABLE warehouse (
    w_id int NOT NULL, w_name varchar(10) NOT NULL, w_street_1 varchar(20) NOT NULL,
        w_street_2 varchar(20) NOT NULL,
    w_city varchar(20) NOT NULL, w_state char(2) NOT NULL, w_zip char(9) NOT NULL, w_tax decimal(4, 4) NOT NULL,
    w_ytd decimal(12, 2) NOT NULL, PRIMARY KEY (w_id)
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE district (
    d_id int NOT NULL, d_w_id int NOT NULL, d_name varchar(10) NOT NULL, d_street_1 varchar(20) NOT NULL,
    d_street_2 varchar(20) NOT NULL, d_city varchar(20) NOT NULL, d_state char(2) NOT NULL, d_zip char(9) NOT NULL,
    d_tax decimal(4, 4) NOT NULL, d_ytd decimal(12, 2) NOT NULL, d_next_o_id int NOT NULL, PRIMARY KEY (d_w_id,
        d_id)
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE customer (
    c_id int NOT NULL, c_d_id int NOT NULL, c_w_id int NOT NULL, c_first varchar(16) NOT NULL,
    c_middle char(2) NOT NULL, c_last varchar(16) NOT NULL, c_street_1 varchar(20) NOT NULL,
    c_street_2 varchar(20) NOT NULL, c_city varchar(20) NOT NULL, c_state char(2) NOT NULL, c_zip char(9) NOT NULL,
    c_phone char(16) NOT NULL, c_since datetime NOT NULL, c_credit char(2) NOT NULL,
    c_credit_lim decimal(12, 2) NOT NULL, c_discount decimal(4, 4) NOT NULL, c_balance decimal(12, 2) NOT NULL,
    c_ytd_payment decimal(12, 2) NOT NULL, c_payment_cnt int NOT NULL, c_delivery_cnt int NOT NULL,
    c_data varchar(500) NOT NULL, PRIMARY KEY (c_w_id, c_d_id, c_id),
    KEY customer_by_name (c_w_id, c_d_id, c_last, c_first)
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE history (
    h_c_id int NOT NULL, h_c_d_id int NOT NULL, h_c_w_id int NOT NULL, h_d_id int NOT NULL, h_w_id int NOT NULL,
    h_date datetime NOT NULL, h_amount decimal(6, 2) NOT NULL, h_data varchar(24) NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE new_order (
    no_o_id int NOT NULL, no_d_id int NOT NULL, no_w_id int NOT NULL, PRIMARY KEY (no_w_id, no_d_id, no_o_id)
) ENGINE = InnoDB;
CREATE TABLE orders (
    o_id int NOT NULL, o_d_id int NOT NULL, o_w_id int NOT NULL, o_c_id int NOT NULL, o_entry_d datetime NOT NULL,
    o_carrier_id int, o_ol_cnt int NOT NULL, o_all_local int NOT NULL, PRIMARY KEY (o_w_id, o_d_id, o_id),
    UNIQUE KEY orders_of_customer (o_w_id, o_d_id, o_c_id, o_id)
) ENGINE = InnoDB;
CREATE TABLE order_line (
    ol_o_id int NOT NULL, ol_d_id int NOT NULL, ol_w_id int NOT NULL, ol_number int NOT NULL, ol_i_id int NOT NULL,
    ol_supply_w_id int NOT NULL, ol_delivery_d datetime, ol_quantity int NOT NULL, ol_amount decimal(6, 2) NOT NULL,
    ol_dist_info char(24) NOT NULL, PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number)
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE item (
    i_id int NOT NULL, i_im_id int NOT NULL, i_name varchar(24) NOT NULL, i_price decimal(5, 2) NOT NULL,
    i_data varchar(50) NOT NULL, PRIMARY KEY (i_id)
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE stock (
    s_i_id int NOT NULL, s_w_id int NOT NULL, s_quantity int NOT NULL,
    s_dist_01 char(24) NOT NULL, s_dist_02 char(24) NOT NULL, s_dist_03 char(24) NOT NULL,
        s_dist_04 char(24) NOT NULL,
    s_dist_05 char(24) NOT NULL, s_dist_06 char(24) NOT NULL, s_dist_07 char(24) NOT NULL,
        s_dist_08 char(24) NOT NULL,
    s_dist_09 char(24) NOT NULL, s_dist_10 char(24) NOT NULL,
    s_ytd int NOT NULL, s_order_cnt int NOT NULL, s_remote_cnt int NOT NULL, s_data varchar(50) NOT NULL,
    PRIMARY KEY (s_w_id, s_i_id)
) ENGINE = InnoDB CHARACTER SET latin1;

-- The numbers from 0 to 99999, from which the load makes all rows.
CREATE TABLE tpcc_numbers (n int NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO tpcc_numbers (n)
SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n
FROM (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS a,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS b,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS c,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS d,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS e
ORDER BY 1;
