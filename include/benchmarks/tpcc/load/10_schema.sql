-- The nine tables of TPC-C (clause 1.3) in a schema of their own. :scale is the number of warehouses.
-- Every value is a hash of its row's keys, so the same scale gives the same data everywhere. The pages of the two
-- tables whose every row is updated all the time keep room for the next versions of their rows.
DROP SCHEMA IF EXISTS tpcc CASCADE;
CREATE SCHEMA tpcc;

-- A number in [0, 1) that depends on the row's number i and on the column's salt alone.
CREATE FUNCTION tpcc.uniform(i bigint, salt bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (((hashint8extended(i, salt) >> 12) + 2251799813685248) / 4503599627370496.0)::double precision $$;

-- A whole number from low to high, both included.
CREATE FUNCTION tpcc.draw(i bigint, salt bigint, low int, high int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT low + floor(tpcc.uniform(i, salt) * (high - low + 1))::int $$;

-- 128 characters that do not compress well.
CREATE FUNCTION tpcc.letters(i bigint, salt int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT encode(sha512(((i * 64 + salt)::text)::bytea), 'hex') $$;

-- Clause 4.3.2.3: three syllables, one for each digit of a number from 0 to 999.
CREATE FUNCTION tpcc.last_name(number int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT ('{BAR,OUGHT,ABLE,PRI,PRES,ESE,ANTI,CALLY,ATION,EING}'::text[])[1 + number / 100]
    || ('{BAR,OUGHT,ABLE,PRI,PRES,ESE,ANTI,CALLY,ATION,EING}'::text[])[1 + number / 10 % 10]
    || ('{BAR,OUGHT,ABLE,PRI,PRES,ESE,ANTI,CALLY,ATION,EING}'::text[])[1 + number % 10]
$$;

-- I_DATA and S_DATA (clause 4.3.3.1): one row in ten has ORIGINAL somewhere in it.
CREATE FUNCTION tpcc.data(i bigint, salt int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE WHEN tpcc.uniform(i, salt) < 0.1
    THEN overlay(left(tpcc.letters(i, salt), tpcc.draw(i, salt + 1, 26, 50))
                 PLACING 'ORIGINAL' FROM tpcc.draw(i, salt + 2, 1, 18))
    ELSE left(tpcc.letters(i, salt), tpcc.draw(i, salt + 1, 26, 50)) END
$$;

CREATE TABLE tpcc.warehouse (
    w_id int NOT NULL, w_name varchar(10) NOT NULL, w_street_1 varchar(20) NOT NULL, w_street_2 varchar(20) NOT NULL,
    w_city varchar(20) NOT NULL, w_state char(2) NOT NULL, w_zip char(9) NOT NULL, w_tax numeric(4, 4) NOT NULL,
    w_ytd numeric(12, 2) NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE tpcc.district (
    d_id int NOT NULL, d_w_id int NOT NULL, d_name varchar(10) NOT NULL, d_street_1 varchar(20) NOT NULL,
    d_street_2 varchar(20) NOT NULL, d_city varchar(20) NOT NULL, d_state char(2) NOT NULL, d_zip char(9) NOT NULL,
    d_tax numeric(4, 4) NOT NULL, d_ytd numeric(12, 2) NOT NULL, d_next_o_id int NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE tpcc.customer (
    c_id int NOT NULL, c_d_id int NOT NULL, c_w_id int NOT NULL, c_first varchar(16) NOT NULL,
    c_middle char(2) NOT NULL, c_last varchar(16) NOT NULL, c_street_1 varchar(20) NOT NULL,
    c_street_2 varchar(20) NOT NULL, c_city varchar(20) NOT NULL, c_state char(2) NOT NULL, c_zip char(9) NOT NULL,
    c_phone char(16) NOT NULL, c_since timestamp NOT NULL, c_credit char(2) NOT NULL,
    c_credit_lim numeric(12, 2) NOT NULL, c_discount numeric(4, 4) NOT NULL, c_balance numeric(12, 2) NOT NULL,
    c_ytd_payment numeric(12, 2) NOT NULL, c_payment_cnt int NOT NULL, c_delivery_cnt int NOT NULL,
    c_data varchar(500) NOT NULL
);
CREATE TABLE tpcc.history (
    h_c_id int NOT NULL, h_c_d_id int NOT NULL, h_c_w_id int NOT NULL, h_d_id int NOT NULL, h_w_id int NOT NULL,
    h_date timestamp NOT NULL, h_amount numeric(6, 2) NOT NULL, h_data varchar(24) NOT NULL
);
CREATE TABLE tpcc.new_order (no_o_id int NOT NULL, no_d_id int NOT NULL, no_w_id int NOT NULL);
CREATE TABLE tpcc.orders (
    o_id int NOT NULL, o_d_id int NOT NULL, o_w_id int NOT NULL, o_c_id int NOT NULL, o_entry_d timestamp NOT NULL,
    o_carrier_id int, o_ol_cnt int NOT NULL, o_all_local int NOT NULL
);
CREATE TABLE tpcc.order_line (
    ol_o_id int NOT NULL, ol_d_id int NOT NULL, ol_w_id int NOT NULL, ol_number int NOT NULL, ol_i_id int NOT NULL,
    ol_supply_w_id int NOT NULL, ol_delivery_d timestamp, ol_quantity int NOT NULL, ol_amount numeric(6, 2) NOT NULL,
    ol_dist_info char(24) NOT NULL
);
CREATE TABLE tpcc.item (
    i_id int NOT NULL, i_im_id int NOT NULL, i_name varchar(24) NOT NULL, i_price numeric(5, 2) NOT NULL,
    i_data varchar(50) NOT NULL
);
CREATE TABLE tpcc.stock (
    s_i_id int NOT NULL, s_w_id int NOT NULL, s_quantity int NOT NULL,
    s_dist_01 char(24) NOT NULL, s_dist_02 char(24) NOT NULL, s_dist_03 char(24) NOT NULL, s_dist_04 char(24) NOT NULL,
    s_dist_05 char(24) NOT NULL, s_dist_06 char(24) NOT NULL, s_dist_07 char(24) NOT NULL, s_dist_08 char(24) NOT NULL,
    s_dist_09 char(24) NOT NULL, s_dist_10 char(24) NOT NULL,
    s_ytd int NOT NULL, s_order_cnt int NOT NULL, s_remote_cnt int NOT NULL, s_data varchar(50) NOT NULL
);
