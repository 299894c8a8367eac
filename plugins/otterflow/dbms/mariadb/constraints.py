"""Constraints between MariaDB's knobs: the family's, as far as the server has the settings."""

from otterflow.dbms.mysql_family.constraints import repair as repair
