"""A configuration for other tools: an option file, SQL, Ansible, and a parameter group of RDS.

MariaDB keeps nothing that SET GLOBAL says beyond a stop, so its SQL goes with the option file; MySQL keeps what SET
PERSIST says, and SET PERSIST_ONLY is for knobs that take a restart ("Persisted System Variables" in its manual).
"""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.bundle import parameter_group
from otterflow.dbms.bundle.ansible import Place, playbook
from otterflow.dbms.bundle.values import Bundle, ExportedKnob, Order
from otterflow.dbms.bundle.yaml_text import by_name, head
from otterflow.dbms.mysql_family import option_file, spelling
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.versions import shown
from otterflow.knobs.space import Value

_HOST = "the service decides it with its hosts and its storage"
RDS_FIXED: Mapping[str, str] = dict.fromkeys(
    ("innodb_flush_method", "innodb_doublewrite", "innodb_numa_interleave"), _HOST
)


class FamilyExport:
    """The part `export` for one product; see `otterflow.dbms.base.Exporting`."""

    def __init__(self, product: Product, *, persists: bool, persisted: frozenset[str]) -> None:
        self.product = product
        self.persists = persists
        """Whether the server keeps what SQL sets."""
        self.persisted = persisted
        """The sources of a setting that the server has kept so."""

    def bundle(self, order: Order) -> Bundle:
        """All files for the order's knobs."""
        found = Bundle()
        found.files["knobs.cnf"] = _option_file(order)
        name = "set_persist" if self.persists else "set_global"
        found.files[f"{name}.sql"] = self._set(order)
        found.files[f"{name}_undo.sql"] = self._undo(order)
        place = Place(f"/etc/mysql/{self.product.name}.conf.d/zz-otterflow.cnf", "root", self.product.unit)
        found.files["ansible/playbook.yml"] = playbook(order, place, _settings(order), restart=True)
        family = f"{self.product.name}{shown(order.version)}"
        service = parameter_group.Service("rds", "Amazon RDS", family, False, RDS_FIXED)
        parameter_group.add(found, order, service)
        return found

    def _set(self, order: Order) -> str:
        keeps = "SET PERSIST is kept over a restart"
        goes = "SET GLOBAL is lost at the next start: put knobs.cnf beside it"
        return _sql(order, keeps if self.persists else goes, "".join(map(self._set_one, by_name(order.knobs))))

    def _set_one(self, knob: ExportedKnob) -> str:
        value = _literal(knob.value)
        if not knob.restart:
            word = "PERSIST" if self.persists else "GLOBAL"
            return f"-- {knob.because}\nSET {word} {knob.name} = {value};\n"
        if self.persists:
            return f"-- takes a restart; {knob.because}\nSET PERSIST_ONLY {knob.name} = {value};\n"
        return f"-- {knob.name} = {value} takes a restart, with knobs.cnf; {knob.because}\n"

    def _undo(self, order: Order) -> str:
        return _sql(order, "back to what was in force before", "".join(map(self._undo_one, by_name(order.knobs))))

    def _undo_one(self, knob: ExportedKnob) -> str:
        former = _literal(knob.before)
        if self.persists and knob.setting.source in self.persisted:
            return f"SET {'PERSIST_ONLY' if knob.restart else 'PERSIST'} {knob.name} = {former};\n"
        reset = f"RESET PERSIST IF EXISTS {knob.name};\n" if self.persists else ""
        if knob.restart:
            return reset + f"-- {knob.name} = {former} comes back with a restart\n"
        return reset + f"SET GLOBAL {knob.name} = {former};\n"


def _option_file(order: Order) -> str:
    lines = "".join(
        f"# {knob.because}\n{knob.name} = {spelling.render(knob.value, knob.setting)}\n"
        for knob in by_name(order.knobs)
    )
    return head(order, "An option file of a folder that the server includes, the last one there.") + (
        f"[{option_file.GROUP}]\n{lines}"
    )


def _settings(order: Order) -> str:
    return f"[{option_file.GROUP}]\n" + "".join(
        f"{knob.name} = {spelling.render(knob.value, knob.setting)}\n" for knob in by_name(order.knobs)
    )


def _sql(order: Order, use: str, lines: str) -> str:
    return f"-- {order.title}\n-- {use}\n{lines}"


def _literal(value: Value) -> str:
    """A canonical value as SQL: SET takes no unit."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return repr(value)
