ANALYZE TABLE calendar, store, product, customer, sales, returned, visits;
