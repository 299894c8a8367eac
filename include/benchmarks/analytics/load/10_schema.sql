-- The star: four dimensions and three fact tables, in a schema of their own. :scale 1 is 100,000 sales.
-- Every value is a hash of its row's number, so the same scale gives the same data everywhere.
DROP SCHEMA IF EXISTS analytics CASCADE;
CREATE SCHEMA analytics;

-- A number in [0, 1) that depends on the row's number i and on the column's salt alone.
CREATE FUNCTION analytics.uniform(i bigint, salt bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (((hashint8extended(i, salt) >> 12) + 2251799813685248) / 4503599627370496.0)::double precision $$;

-- What a product costs, known without a look at the product.
CREATE FUNCTION analytics.list_price(product_id bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT round((2 + 498 * analytics.uniform(product_id, 7) ^ 3)::numeric, 2) $$;

CREATE TABLE analytics.calendar (
    day date NOT NULL, year int NOT NULL, quarter int NOT NULL, month int NOT NULL, month_name text NOT NULL,
    week int NOT NULL, weekday int NOT NULL, holiday boolean NOT NULL
);
CREATE TABLE analytics.store (
    store_id int NOT NULL, name text NOT NULL, channel text NOT NULL, city text NOT NULL, region text NOT NULL,
    opened_on date NOT NULL, area_m2 int NOT NULL
);
CREATE TABLE analytics.product (
    product_id int NOT NULL, name text NOT NULL, category text NOT NULL, subcategory text NOT NULL,
    brand text NOT NULL, list_price numeric(10, 2) NOT NULL, weight_g int NOT NULL, description text NOT NULL
);
CREATE TABLE analytics.customer (
    customer_id int NOT NULL, name text NOT NULL, email text NOT NULL, segment text NOT NULL, city text NOT NULL,
    region text NOT NULL, born_in int NOT NULL, joined_on date NOT NULL
);
CREATE TABLE analytics.sales (
    sale_id bigint NOT NULL, sold_on date NOT NULL, customer_id int NOT NULL, product_id int NOT NULL,
    store_id int NOT NULL, quantity int NOT NULL, unit_price numeric(10, 2) NOT NULL,
    discount numeric(4, 2) NOT NULL, amount numeric(12, 2) NOT NULL, coupon text, note text NOT NULL
);
CREATE TABLE analytics.returns (
    return_id bigint NOT NULL, sale_id bigint NOT NULL, returned_on date NOT NULL, reason text NOT NULL,
    refund_share numeric(4, 2) NOT NULL
);
CREATE TABLE analytics.visits (
    visit_id bigint NOT NULL, visited_at timestamp NOT NULL, customer_id int NOT NULL, device text NOT NULL,
    page text NOT NULL, duration_ms int NOT NULL, referrer text
);
