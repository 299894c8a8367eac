ALTER TABLE calendar ADD PRIMARY KEY (day);
ALTER TABLE store ADD PRIMARY KEY (store_id);
ALTER TABLE product ADD PRIMARY KEY (product_id);
CREATE INDEX product_subcategory ON product (subcategory);
ALTER TABLE customer ADD PRIMARY KEY (customer_id);
ALTER TABLE visits ADD PRIMARY KEY (visit_id);
ALTER TABLE returns ADD PRIMARY KEY (return_id);
CREATE INDEX returns_sale ON returns (sale_id);
