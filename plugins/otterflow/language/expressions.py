"""The small language of a catalog's ranges and of objectives: `min(64GB, ram * 0.4)`, `if(disk == 'ssd', 200, 2)`.

Numbers, sizes (`64kB`, `4GB`) and times (`5min`, `200ms`), names (a catalog's are the facts `ram`, `cores`,
`connections` and `disk`), the operators `+ - * /` and comparisons, and the functions `min`, `max` and
`if`. Quantities carry their dimension, so that a size and a bare number cannot be mixed up. Parsed by hand; nothing is
ever evaluated as Python.

    expression = sum [("==" | "!=" | "<=" | ">=" | "<" | ">") sum]
    sum        = product {("+" | "-") product}
    product    = factor {("*" | "/") factor}
    factor     = "-" factor | "(" expression ")" | number [unit] | 'text' | name ["(" expression {"," expression} ")"]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from otterflow.errors import InvalidInput
from otterflow.language.parser import Node, Parser, refuse
from otterflow.language.quantities import Dimension, Quantity

__all__ = ["Dimension", "Expression", "Quantity"]

_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
    "<": operator.lt,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
}


class Expression:
    """A parsed expression over `names` and their dimensions; `value` gives its value for theirs."""

    def __init__(self, text: str, names: Mapping[str, Dimension]) -> None:
        """Raise InvalidInput with the position where the text cannot be read."""
        self.text = text
        self._dimensions = names
        self._root = Parser(text, names).parse()
        self.names = frozenset(_names(self._root))
        """The names that it uses."""

    def value(self, values: Mapping[str, float | str]) -> Quantity:
        """Its value where the names have these. Raises InvalidInput for a clash of dimensions or a division by 0."""
        return _Evaluator(self.text, self._dimensions, values).value(self._root)

    @property
    def comparison(self) -> str | None:
        """The operator, where the whole expression is a comparison."""
        return self._root.what if self._root.kind == "binary" and self._root.what in _COMPARE else None

    def sides(self, values: Mapping[str, float | str]) -> tuple[Quantity, Quantity]:
        """The two sides of a comparison. Raises InvalidInput as `value` does, and if the whole is no comparison."""
        if self.comparison is None:
            raise refuse(self.text, 0, "is not a comparison", "compare two values")
        evaluator = _Evaluator(self.text, self._dimensions, values)
        left, right = (evaluator.value(part) for part in self._root.parts)
        return left, right

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _names(node: Node) -> Iterator[str]:
    if node.kind == "name":
        yield node.what
    for part in node.parts:
        yield from _names(part)


class _Evaluator:
    """Walks a parsed expression with the names' values."""

    def __init__(self, text: str, names: Mapping[str, Dimension], values: Mapping[str, float | str]) -> None:
        self.text, self.names, self.values = text, names, values

    def value(self, node: Node) -> Quantity:
        if node.constant is not None:
            return node.constant
        if node.kind == "name":
            return Quantity(self.values[node.what], self.names[node.what])
        if node.kind == "call":
            return self._call(node)
        parts = [self.value(part) for part in node.parts]
        if node.kind == "negate":
            return Quantity(-self._number(parts[0], node), parts[0].dimension)
        if node.what in _COMPARE:
            return self._comparison(node, *parts)
        return self._arithmetic(node, *parts)

    def _call(self, node: Node) -> Quantity:
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

    def _comparison(self, node: Node, left: Quantity, right: Quantity) -> Quantity:
        self._same([left, right], node)
        if node.what not in ("==", "!="):
            self._number(left, node)
        return Quantity(_COMPARE[node.what](left.value, right.value), "truth")

    def _arithmetic(self, node: Node, left: Quantity, right: Quantity) -> Quantity:
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

    def _same(self, parts: list[Quantity], node: Node) -> None:
        found = sorted({part.dimension for part in parts})
        if len(found) > 1:
            raise self._refuse(
                node, f"{' and '.join(found)} are mixed", "use values of one kind, sizes and times with units"
            )

    def _number(self, part: Quantity, node: Node) -> float:
        if isinstance(part.value, str | bool):
            raise self._refuse(node, f"a {part.dimension} is no number", "use numbers, sizes or times")
        return part.value

    def _refuse(self, node: Node, found: str, advice: str) -> InvalidInput:
        return refuse(self.text, node.position, f"{node.what!r}: {found}", advice)
