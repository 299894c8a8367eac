"""A configuration as the files of other tools: what is exported, and the formats that are of no one DBMS."""
