"""The small language of conditions: numbers, text, names of image-level parameters, arithmetic, comparisons, logic.

Parsed with Python's own grammar, then restricted to a whitelist of nodes and evaluated by walking the tree: no calls
but `min`, `max`, `round` and `abs`, no attributes of objects, no power operator, so an expression always ends quickly.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from .scene import Value

__all__ = ["evaluate", "names"]

MAX_LENGTH = 500
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


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value)
        return None if head is None else f"{head}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        head = _dotted(node.value)
        return None if head is None else f"{head}.{node.slice.value}"
    return None


def names(text: str) -> frozenset[str]:
    """The parameters that an expression reads: `lights[0].power` reads "lights.0.power". ValueError if it is none."""
    found: set[str] = set()

    def note(name: str) -> float:
        found.add(name)
        return 1.0

    _walk(_parse(text), note, run=False)
    return frozenset(found)


def evaluate(text: str, lookup: Callable[[str], Value]) -> Any:
    """The expression's value; `lookup` gives a parameter's. ValueError where types do not fit or on a division by 0."""
    try:
        return _walk(_parse(text), lookup, run=True)
    except (TypeError, ZeroDivisionError, OverflowError) as e:
        raise ValueError(f"cannot compute {_short(text)!r}: {e}") from None


def _walk(node: ast.AST, lookup: Callable[[str], Any], run: bool) -> Any:
    """Check the node (and, when `run`, compute it). Without `run` every operand is visited, whatever its value."""
    name = _dotted(node)
    if name is not None:
        return lookup(name)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_walk(e, lookup, run) for e in node.elts]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        value = _walk(node.operand, lookup, run)
        return _UNARY[type(node.op)](value) if run else 1.0
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        a, b = _walk(node.left, lookup, run), _walk(node.right, lookup, run)
        if run and (isinstance(a, str | list) or isinstance(b, str | list)):
            raise TypeError("arithmetic needs numbers")  # 'a' * 10**9 must not fill the memory
        return _BINARY[type(node.op)](a, b) if run else 1.0
    if isinstance(node, ast.BoolOp):
        values = [bool(_walk(v, lookup, run)) for v in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        values = [_walk(v, lookup, run) for v in (node.left, *node.comparators)]
        if not run:
            return True
        return all(_COMPARE[type(op)](values[i], values[i + 1]) for i, op in enumerate(node.ops))
    if isinstance(node, ast.IfExp):
        test, a, b = (_walk(n, lookup, run) for n in (node.test, node.body, node.orelse))
        return a if test else b
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords:
        args = [_walk(a, lookup, run) for a in node.args]
        return _CALLS[node.func.id](*args) if run else 1.0
    raise ValueError(
        f"{_short(ast.unparse(node))!r} is not allowed in an expression: use numbers, text, parameter names, "
        "+ - * / // %, comparisons, and, or, not, if-else, min, max, round, abs"
    )
