\set good random(0, :goods - 1)
SELECT count(*), sum(amount) FROM own_orders WHERE good = :good;
