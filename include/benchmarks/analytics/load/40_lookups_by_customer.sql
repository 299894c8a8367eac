CREATE INDEX sales_customer ON sales (customer_id, sold_on);
CREATE INDEX visits_customer ON visits (customer_id, visited_at);
