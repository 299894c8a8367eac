\set good random(0, :goods - 1)
INSERT INTO own_orders (good, amount) VALUES (:good, 1);
