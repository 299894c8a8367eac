"""The small language that a catalog's ranges are written in: `min(64GB, ram * 0.4)`, `if(disk == 'ssd', 200, 2)`.

Numbers, sizes (`64kB`, `4GB`) and times (`5min`, `200ms`) as PostgreSQL spells them, the facts `ram`, `cores`,
`connections` and `disk`, the operators `+ - * /` and comparisons, and the functions `min`, `max` and `if`. Quantities
carry their dimension, so that a size and a bare number cannot be mixed up. Parsed by hand; nothing is ever evaluated as
Python.

    expression = sum [("==" | "!=" | "<=" | ">=" | "<" | ">") sum]
    sum        = product {("+" | "-") product}
    product    = factor {("*" | "/") factor}
    factor     = "-" factor | "(" expression ")" | number [unit] | 'text' | name ["(" expression {"," expression} ")"]
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.units import BYTES, MICROSECONDS, unit_family

Dimension = Literal["number", "size", "time", "text", "truth"]

FACTS: dict[str, Dimension] = {"ram": "size", "cores": "number", "connections": "number", "disk": "text"}
"""The names an expression may use, with their dimensions."""

_FUNCTIONS = {"min": "two values or more", "max": "two values or more", "if": "a condition and two values"}
_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
    "<": operator.lt,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?P<unit>[A-Za-z]*)|(?P<name>[a-z_]+)|'(?P<text>[^']*)'"
    r"|(?P<op>==|!=|<=|>=|[-+*/(),<>]))"
)
_DEEPEST = 50


@dataclass(frozen=True)
class Quantity:
    """A value and its dimension: a size in bytes, a time in microseconds, a bare number, a text or a truth."""

    value: float | str | bool
    dimension: Dimension

    def in_unit(self, unit: str | None) -> float:
        """The number in a setting's unit, bytes in `"8kB"` for instance. Raises InvalidInput for the wrong dimension.

        0 needs no unit.
        """
        wanted: Dimension = "number"
        base = 1
        if unit is not None:
            family, base = unit_family(unit)
            wanted = "size" if family is BYTES else "time"
        if isinstance(self.value, str | bool) or (self.dimension != wanted and self.value != 0):
            advice = f"give a {wanted}" + (f", such as 1{unit.lstrip('0123456789')}" if unit else ", without a unit")
            raise InvalidInput(Problem("dimension", f"a {self.dimension} where a {wanted} is needed", advice))
        return self.value / base


@dataclass(frozen=True)
class _Node:
    """A part of a parsed expression: what it does, to what, and where it stands in the text."""

    kind: Literal["constant", "fact", "negate", "binary", "call"]
    what: str
    position: int
    parts: tuple[_Node, ...] = ()
    constant: Quantity | None = None


class Expression:
    """A parsed expression. `evaluate` gives its value for a host."""

    def __init__(self, text: str) -> None:
        """Raise InvalidInput with the position where the text cannot be read."""
        self.text = text
        self._root = _Parser(text).parse()

    def evaluate(self, facts: HostFacts) -> Quantity:
        """The expression's value for a host. Raises InvalidInput for a clash of dimensions or a division by 0."""
        return _Evaluator(self.text, facts).value(self._root)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _refuse(text: str, position: int, found: str, advice: str) -> InvalidInput:
    return InvalidInput(Problem(f"expression {text!r}, position {position + 1}", found, advice))


class _Parser:
    """Recursive descent over the text, one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text, self.position, self.depth = text, 0, 0
        self.token: re.Match[str] | None = None
        self.start = 0
        self._advance()

    def parse(self) -> _Node:
        node = self._expression()
        if self.token is not None:
            raise self._unexpected("an operator or the end")
        return node

    def _advance(self) -> None:
        rest = self.text[self.position :]
        self.start = self.position + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.token = None
            return
        self.token = _TOKEN.match(self.text, self.position)
        if self.token is None:
            found = f"{self.text[self.start]!r} does not belong here"
            raise _refuse(self.text, self.start, found, "use numbers with units, facts, + - * / and min, max, if")
        self.position = self.token.end()

    def _unexpected(self, wanted: str) -> InvalidInput:
        found = "the end of the text" if self.token is None else repr(self.token[0].strip())
        return _refuse(self.text, self.start, f"{found} does not belong here", f"{wanted} was expected")

    def _op(self, *wanted: str) -> str | None:
        """The operator at the current position if it is one of those wanted, which is then passed."""
        found = self.token["op"] if self.token else None
        if found in wanted:
            self._advance()
            return found
        return None

    def _binary(self, part: Callable[[], _Node], *ops: str) -> _Node:
        node, start = part(), self.start
        while op := self._op(*ops):
            node = _Node("binary", op, start, (node, part()))
            start = self.start
        return node

    def _expression(self) -> _Node:
        node, start = self._sum(), self.start
        if op := self._op(*_COMPARISONS):
            return _Node("binary", op, start, (node, self._sum()))
        return node

    def _sum(self) -> _Node:
        return self._binary(self._product, "+", "-")

    def _product(self) -> _Node:
        return self._binary(self._factor, "*", "/")

    def _factor(self) -> _Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _refuse(self.text, self.start, "nested too deeply", f"use at most {_DEEPEST} levels")
        node = self._factor_inside()
        self.depth -= 1
        return node

    def _factor_inside(self) -> _Node:
        start = self.start
        if self._op("-"):
            return _Node("negate", "-", start, (self._factor(),))
        if self._op("("):
            node = self._expression()
            self._close()
            return node
        if self.token is None or self.token["op"]:
            raise self._unexpected("a number, a fact or a function")
        token = self.token
        self._advance()
        if token["number"]:
            return _Node("constant", token[0].strip(), start, constant=self._quantity(token, start))
        if token["text"] is not None:
            return _Node("constant", token["text"], start, constant=Quantity(token["text"], "text"))
        return self._named(token["name"], start)

    def _quantity(self, token: re.Match[str], start: int) -> Quantity:
        number, unit = float(token["number"]), token["unit"]
        if not unit:
            return Quantity(number, "number")
        if unit in BYTES:
            return Quantity(number * BYTES[unit], "size")
        if unit in MICROSECONDS:
            return Quantity(number * MICROSECONDS[unit], "time")
        known = ", ".join([*BYTES, *MICROSECONDS])
        raise _refuse(self.text, start, f"{unit!r} is not a unit", f"use one of {known}")

    def _named(self, name: str, start: int) -> _Node:
        if name in FACTS:
            return _Node("fact", name, start)
        if name not in _FUNCTIONS:
            known = ", ".join([*FACTS, *_FUNCTIONS])
            raise _refuse(self.text, start, f"{name!r} is not known", f"use one of {known}")
        if not self._op("("):
            raise self._unexpected(f"'(' after {name}")
        parts = [self._expression()]
        while self._op(","):
            parts.append(self._expression())
        self._close()
        if (name == "if" and len(parts) != 3) or len(parts) < 2:
            raise _refuse(self.text, start, f"{name} got {len(parts)} arguments", f"it takes {_FUNCTIONS[name]}")
        return _Node("call", name, start, tuple(parts))

    def _close(self) -> None:
        if not self._op(")"):
            raise self._unexpected("')'")


class _Evaluator:
    """Walks a parsed expression with a host's facts."""

    def __init__(self, text: str, facts: HostFacts) -> None:
        self.text = text
        self.facts = {
            "ram": float(facts.ram_bytes),
            "cores": float(facts.cores),
            "connections": float(facts.max_connections),
            "disk": facts.disk,
        }

    def value(self, node: _Node) -> Quantity:
        if node.constant is not None:
            return node.constant
        if node.kind == "fact":
            return Quantity(self.facts[node.what], FACTS[node.what])
        if node.kind == "call":
            return self._call(node)
        parts = [self.value(part) for part in node.parts]
        if node.kind == "negate":
            return Quantity(-self._number(parts[0], node), parts[0].dimension)
        if node.what in _COMPARISONS:
            return self._comparison(node, *parts)
        return self._arithmetic(node, *parts)

    def _call(self, node: _Node) -> Quantity:
        if node.what == "if":
            condition = self.value(node.parts[0])
            if condition.dimension != "truth":
                raise self._refuse(node, "its condition is not a comparison", "compare two values")
            branches = [self.value(part) for part in node.parts[1:]]
            self._same(branches, node)
            return branches[0] if condition.value else branches[1]
        parts = [self.value(part) for part in node.parts]
        self._same(parts, node)
        numbers = [self._number(part, node) for part in parts]
        return Quantity(min(numbers) if node.what == "min" else max(numbers), parts[0].dimension)

    def _comparison(self, node: _Node, left: Quantity, right: Quantity) -> Quantity:
        self._same([left, right], node)
        if node.what not in ("==", "!="):
            self._number(left, node)
        return Quantity(_COMPARISONS[node.what](left.value, right.value), "truth")

    def _arithmetic(self, node: _Node, left: Quantity, right: Quantity) -> Quantity:
        a, b = self._number(left, node), self._number(right, node)
        if node.what in "+-":
            self._same([left, right], node)
            return Quantity(a + b if node.what == "+" else a - b, left.dimension)
        if node.what == "*":
            if "number" not in (left.dimension, right.dimension):
                raise self._refuse(node, f"a {left.dimension} times a {right.dimension}", "multiply by a bare number")
            return Quantity(a * b, right.dimension if left.dimension == "number" else left.dimension)
        if b == 0:
            raise self._refuse(node, "division by 0", "divide by something else")
        if left.dimension == right.dimension:
            return Quantity(a / b, "number")
        if right.dimension != "number":
            raise self._refuse(node, f"a {left.dimension} divided by a {right.dimension}", "divide by a bare number")
        return Quantity(a / b, left.dimension)

    def _same(self, parts: list[Quantity], node: _Node) -> None:
        found = sorted({part.dimension for part in parts})
        if len(found) > 1:
            raise self._refuse(
                node, f"{' and '.join(found)} are mixed", "use values of one kind, sizes and times with units"
            )

    def _number(self, part: Quantity, node: _Node) -> float:
        if isinstance(part.value, str | bool):
            raise self._refuse(node, f"a {part.dimension} is no number", "use numbers, sizes or times")
        return part.value

    def _refuse(self, node: _Node, found: str, advice: str) -> InvalidInput:
        return _refuse(self.text, node.position, f"{node.what!r}: {found}", advice)
