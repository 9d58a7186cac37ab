"""The language of conditions."""

from __future__ import annotations

from typing import Any

import pytest

from scenewright.scenes.expressions import evaluate, names

VALUES: dict[str, Any] = {"world.strength": 0.3, "surface.material": "wood", "objects.count": 7, "lights.0.power": 2.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("world.strength < 0.4 and surface.material == 'wood'", True),
        ("not (objects.count >= 8)", True),
        ("surface.material in ['fabric', 'paper']", False),
        ("round(objects.count * 1.6) // 2", 5),
        ("min(objects.count, 3) + abs(-2)", 5),
        ("1 if lights[0].power > 3 else 0", 0),
        ("0 < world.strength < 1", True),
        ("-objects.count % 4", 1),
        ("0 < 5 < 3 < 1 / 0", False),
        ("1 if objects.count == 7 else 1 / (objects.count - 7)", 1),
        ("objects.count != 7 and 1 / (objects.count - 7) > 2", False),
        ("objects.count == 7 or surface.material < 3", True),
    ],
)
def test_expressions_compute(text: str, value: Any) -> None:
    """Arithmetic, comparison chains, logic and the four functions mean what they mean in Python.

    So does laziness: a branch that is not taken, or an operand that decides nothing any more, is not computed.
    """
    assert evaluate(text, VALUES.__getitem__) == value


def test_names_are_found_in_every_branch() -> None:
    """A name in a branch that is not taken is still a dependency."""
    assert names("a.b if c > 1 else lights[2].d or e") == {"a.b", "c", "lights.2.d", "e"}


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "(1).__class__", "lambda: 1", "[x for x in y]", "2 ** 999999999", "f(1)", "a := 1", "1 +",
     "'%s' if x", "x" * 501, "(" * 400, "-" * 400 + "1"],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    """Nothing that could run code, loop or grow without bound gets through."""
    with pytest.raises(ValueError, match=r"not allowed|cannot read|characters|nested too deep"):
        names(text)


@pytest.mark.parametrize("text", ["surface.material * 1000000000", "surface.material < 3", "1 / (objects.count - 7)"])
def test_impossible_operations_are_errors(text: str) -> None:
    """Types that do not fit and divisions by zero name the expression."""
    with pytest.raises(ValueError, match="cannot compute"):
        evaluate(text, VALUES.__getitem__)
