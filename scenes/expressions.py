"""The small language of conditions: numbers, text, names of image-level parameters, arithmetic, comparisons, logic.

Parsed with Python's own grammar, then restricted to a whitelist of nodes, each of which becomes a function: no calls
but `min`, `max`, `round` and `abs`, no attributes of objects, no power operator, so an expression always ends quickly.
As in Python, a branch that is not taken is not computed: `1 if x == 0 else 1 / x` has a value at x = 0.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from .scene import Value

__all__ = ["evaluate", "names"]

MAX_LENGTH = 500
Lookup = Callable[[str], Any]
Run = Callable[[Lookup], Any]

_BINARY: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: Mapping[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_UNARY: Mapping[type[ast.AST], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Not: operator.not_}
_CALLS: Mapping[str, Callable[..., Any]] = {"min": min, "max": max, "round": round, "abs": abs}


def names(text: str) -> frozenset[str]:
    """The parameters that an expression may read: `lights[0].power` reads "lights.0.power". ValueError if it is none.

    Names in every branch count, taken or not.
    """
    found: set[str] = set()
    _checked(text, found)
    return frozenset(found)


def evaluate(text: str, lookup: Callable[[str], Value]) -> Any:
    """The expression's value; `lookup` gives a parameter's. ValueError where types do not fit or on a division by 0."""
    run = _checked(text, set())
    try:
        return run(lookup)
    except (TypeError, ZeroDivisionError, OverflowError, RecursionError) as e:
        raise ValueError(f"cannot compute {_short(text)!r}: {e}") from None


def _checked(text: str, found: set[str]) -> Run:
    try:
        return _compiled(_parse(text), found)
    except RecursionError:
        raise ValueError(f"the expression {_short(text)!r} is nested too deep: use fewer brackets and signs") from None


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an expression may have {MAX_LENGTH} characters, got {len(text)}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        reason = e.msg if isinstance(e, SyntaxError) else str(e)
        raise ValueError(f"cannot read the expression {_short(text)!r}: {reason}") from None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _compiled(node: ast.AST, found: set[str]) -> Run:
    """The node as a function of the lookup; notes its names in `found`. ValueError where it is not allowed."""

    def parts(*nodes: ast.AST) -> list[Run]:
        return [_compiled(n, found) for n in nodes]

    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return lambda _: value
        case ast.Name() | ast.Attribute() | ast.Subscript() if name := _dotted(node):
            found.add(name)
            return lambda look: look(name)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            items = parts(*elements)
            return lambda look: [run(look) for run in items]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            (inner,) = parts(operand)
            return lambda look: _UNARY[type(op)](inner(look))
        case ast.BinOp(op=op) if type(op) in _BINARY:
            left, right = parts(node.left, node.right)
            return lambda look: _arithmetic(_BINARY[type(op)], left(look), right(look))
        case ast.BoolOp(op=op, values=values):
            operands, combine = parts(*values), all if isinstance(op, ast.And) else any
            return lambda look: combine(bool(run(look)) for run in operands)
        case ast.Compare() if all(type(op) in _COMPARE for op in node.ops):
            return _comparison([_COMPARE[type(op)] for op in node.ops], parts(node.left, *node.comparators))
        case ast.IfExp():
            test, then, other = parts(node.test, node.body, node.orelse)
            return lambda look: then(look) if test(look) else other(look)
        case ast.Call(func=ast.Name(id=call), args=given, keywords=[]) if call in _CALLS:
            args = parts(*given)
            return lambda look: _CALLS[call](*(run(look) for run in args))
    raise ValueError(
        f"{_short(ast.unparse(node))!r} is not allowed in an expression: use numbers, text, parameter names, "
        "+ - * / // %, comparisons, and, or, not, if-else, min, max, round, abs"
    )


def _dotted(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=key):
            head = _dotted(value)
            return None if head is None else f"{head}.{key}"
        case ast.Subscript(value=value, slice=ast.Constant(value=int() as place)):
            head = _dotted(value)
            return None if head is None else f"{head}.{place}"
    return None


def _arithmetic(compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    if isinstance(a, str | list) or isinstance(b, str | list):
        raise TypeError("arithmetic needs numbers")  # 'a' * 10**9 must not fill the memory
    return compute(a, b)


def _comparison(tests: list[Callable[[Any, Any], bool]], operands: list[Run]) -> Run:
    """A chain such as `0 < x < 1`: operands are computed from the left, up to the first comparison that fails."""

    def run(look: Lookup) -> bool:
        values = pairwise(operand(look) for operand in operands)
        return all(test(a, b) for test, (a, b) in zip(tests, values, strict=True))

    return run
