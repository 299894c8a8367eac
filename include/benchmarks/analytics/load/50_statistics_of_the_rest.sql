VACUUM (ANALYZE) calendar, store, product, customer, returns, visits;
