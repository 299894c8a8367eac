ALTER TABLE sales ADD PRIMARY KEY (sale_id);
CREATE INDEX sales_sold_on ON sales (sold_on);
