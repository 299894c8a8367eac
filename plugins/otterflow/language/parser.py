"""How the text of an expression becomes a tree: the grammar of `language.expressions`, by recursive descent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from otterflow.errors import InvalidInput, Problem
from otterflow.language.quantities import BYTES, MICROSECONDS, Dimension, Quantity, unit_advice

COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_FUNCTIONS = {"min": "two values or more", "max": "two values or more", "if": "a condition and two values"}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?P<unit>[A-Za-z]*)|(?P<name>[a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*)"
    r"|'(?P<text>[^']*)'|(?P<op>==|!=|<=|>=|[-+*/(),<>]))"
)
_DEEPEST = 50


@dataclass(frozen=True)
class Node:
    """A part of a parsed expression: what it does, to what, and where it stands in the text."""

    kind: Literal["constant", "name", "negate", "binary", "call"]
    what: str
    position: int
    parts: tuple[Node, ...] = ()
    constant: Quantity | None = None


def refuse(text: str, position: int, found: str, advice: str) -> InvalidInput:
    """The error that points at a position of the text."""
    return InvalidInput(Problem(f"expression {text!r}, position {position + 1}", found, advice))


class Parser:
    """Recursive descent over the text, one method a rule of the grammar."""

    def __init__(self, text: str, names: Mapping[str, Dimension]) -> None:
        self.text, self.names, self.position, self.depth = text, names, 0, 0
        self.token: re.Match[str] | None = None
        self.start = 0
        self._advance()

    def parse(self) -> Node:
        """The tree of the whole text."""
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
            raise refuse(self.text, self.start, found, "use numbers, names, + - * / and min, max, if")
        self.position = self.token.end()

    def _unexpected(self, wanted: str) -> InvalidInput:
        found = "the end of the text" if self.token is None else repr(self.token[0].strip())
        return refuse(self.text, self.start, f"{found} does not belong here", f"{wanted} was expected")

    def _op(self, *wanted: str) -> str | None:
        """The operator at the current position if it is one of those wanted, which is then passed."""
        found = self.token["op"] if self.token else None
        if found in wanted:
            self._advance()
            return found
        return None

    def _binary(self, part: Callable[[], Node], *ops: str) -> Node:
        node, start = part(), self.start
        while op := self._op(*ops):
            node = Node("binary", op, start, (node, part()))
            start = self.start
        return node

    def _expression(self) -> Node:
        node, start = self._sum(), self.start
        if op := self._op(*COMPARISONS):
            return Node("binary", op, start, (node, self._sum()))
        return node

    def _sum(self) -> Node:
        return self._binary(self._product, "+", "-")

    def _product(self) -> Node:
        return self._binary(self._factor, "*", "/")

    def _factor(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise refuse(self.text, self.start, "nested too deeply", f"use at most {_DEEPEST} levels")
        node = self._factor_inside()
        self.depth -= 1
        return node

    def _factor_inside(self) -> Node:
        start = self.start
        if self._op("-"):
            return Node("negate", "-", start, (self._factor(),))
        if self._op("("):
            node = self._expression()
            self._close()
            return node
        if self.token is None or self.token["op"]:
            raise self._unexpected("a number, a name or a function")
        token = self.token
        self._advance()
        if token["number"]:
            return Node("constant", token[0].strip(), start, constant=self._quantity(token, start))
        if token["text"] is not None:
            return Node("constant", token["text"], start, constant=Quantity(token["text"], "text"))
        return self._named(token["name"], start)

    def _quantity(self, token: re.Match[str], start: int) -> Quantity:
        number, unit = float(token["number"]), token["unit"]
        if not unit:
            return Quantity(number, "number")
        if unit in BYTES:
            return Quantity(number * BYTES[unit], "size")
        if unit in MICROSECONDS:
            return Quantity(number * MICROSECONDS[unit], "time")
        advice = unit_advice(token["number"], unit, [*BYTES, *MICROSECONDS])
        raise refuse(self.text, start, f"{unit!r} is not a unit", advice)

    def _named(self, name: str, start: int) -> Node:
        if name in self.names:
            return Node("name", name, start)
        if name not in _FUNCTIONS:
            known = ", ".join([*self.names, *_FUNCTIONS])
            raise refuse(self.text, start, f"{name!r} is not known", f"use one of {known}")
        if not self._op("("):
            raise self._unexpected(f"'(' after {name}")
        parts = [self._expression()]
        while self._op(","):
            parts.append(self._expression())
        self._close()
        if (name == "if" and len(parts) != 3) or len(parts) < 2:
            raise refuse(self.text, start, f"{name} got {len(parts)} arguments", f"it takes {_FUNCTIONS[name]}")
        return Node("call", name, start, tuple(parts))

    def _close(self) -> None:
        if not self._op(")"):
            raise self._unexpected("')'")
