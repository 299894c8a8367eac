"""Values as MySQL's users write them: as the whole family does."""

from otterflow.dbms.mysql_family.spelling import display as display
from otterflow.dbms.mysql_family.spelling import parse as parse
