"""The seam for a DBMS, and each DBMS behind it. The registry alone lists them."""
