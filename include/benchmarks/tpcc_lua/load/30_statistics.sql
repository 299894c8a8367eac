DROP TABLE tpcc_numbers;
ANALYZE TABLE warehouse, district, customer, history, new_order, orders, order_line, item, stock;
