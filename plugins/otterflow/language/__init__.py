"""The small safe expression language of catalogs and formulas."""
