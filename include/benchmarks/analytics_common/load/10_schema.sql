-- The star: four dimensions and three fact tables, each in the order of its key. @scale 1 is 100,000 sales.
-- Every value is a hash of its row's number, so the same scale gives the same data everywhere.
DROP TABLE IF EXISTS sales, returned, visits, customer, product, store, calendar, ones, thousands;
CREATE TABLE calendar (
    day date NOT NULL PRIMARY KEY, year int NOT NULL, quarter int NOT NULL, month int NOT NULL,
    month_name varchar(10) NOT NULL, week int NOT NULL, weekday int NOT NULL, holiday boolean NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE store (
    store_id int NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, channel varchar(10) NOT NULL,
    city varchar(10) NOT NULL, region varchar(10) NOT NULL, opened_on date NOT NULL, area_m2 int NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE product (
    product_id int NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, category varchar(20) NOT NULL,
    subcategory varchar(20) NOT NULL, brand varchar(20) NOT NULL, list_price decimal(10, 2) NOT NULL,
    weight_g int NOT NULL, description varchar(100) NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE customer (
    customer_id int NOT NULL PRIMARY KEY, name varchar(50) NOT NULL, email varchar(40) NOT NULL,
    segment varchar(10) NOT NULL, city varchar(10) NOT NULL, region varchar(10) NOT NULL, born_in int NOT NULL,
    joined_on date NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE sales (
    sale_id bigint NOT NULL PRIMARY KEY, sold_on date NOT NULL, customer_id int NOT NULL, product_id int NOT NULL,
    store_id int NOT NULL, quantity int NOT NULL, unit_price decimal(10, 2) NOT NULL,
    discount decimal(4, 2) NOT NULL, amount decimal(12, 2) NOT NULL, coupon varchar(10), note varchar(40) NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE returned (
    return_id bigint NOT NULL PRIMARY KEY, sale_id bigint NOT NULL, returned_on date NOT NULL,
    reason varchar(20) NOT NULL, refund_share decimal(4, 2) NOT NULL
) ENGINE = InnoDB CHARACTER SET latin1;
CREATE TABLE visits (
    visit_id bigint NOT NULL PRIMARY KEY, visited_at datetime NOT NULL, customer_id int NOT NULL,
    device varchar(10) NOT NULL, page varchar(30) NOT NULL, duration_ms int NOT NULL, referrer varchar(40)
) ENGINE = InnoDB CHARACTER SET latin1;

-- The numbers from 0 to 999, and those of the thousands of sales, from which the load makes all others.
CREATE TABLE ones (n int NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO ones
SELECT a.n + 10 * b.n + 100 * c.n
FROM (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS a,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS b,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS c;
CREATE TABLE thousands (n int NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO thousands
SELECT high.n * 1000 + low.n
FROM ones AS high CROSS JOIN ones AS low
WHERE high.n <= @scale / 10 AND high.n * 1000 + low.n < 100 * @scale;
