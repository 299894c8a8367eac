CREATE INDEX sales_product ON sales (product_id);
CREATE INDEX visits_visited_at ON visits USING brin (visited_at);
