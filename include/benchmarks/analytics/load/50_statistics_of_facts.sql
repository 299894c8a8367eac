-- Also sets the visibility map and the hint bits, so that the first pass does not write.
VACUUM (ANALYZE) sales;
