ALTER TABLE product ADD KEY product_subcategory (subcategory);
ALTER TABLE customer ADD KEY customer_region (region, segment);
ALTER TABLE returned ADD KEY returned_sale (sale_id);
ALTER TABLE visits ADD KEY visits_customer (customer_id, visited_at), ADD KEY visits_visited_at (visited_at);
DROP TABLE ones, thousands;
