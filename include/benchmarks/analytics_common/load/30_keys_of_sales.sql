ALTER TABLE sales ADD KEY sales_sold_on (sold_on), ADD KEY sales_customer (customer_id, sold_on),
    ADD KEY sales_product (product_id);
