"""What is known of a program is decided, and the rest of its text stays as it was."""

import ast

import pytest

from gantool.reading.pruning import needed, settled

VALUES = {"A": 0, "B": "b", "C": None}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if A:\n    x = 1\ny = 2\n", "y = 2\n"),
        ("if not A:\n    # why\n    x = 1  # what\n\n    y = 2\n", "# why\nx = 1  # what\n\ny = 2\n"),
        ("if A:\n    x = 1\nelse:\n    # why\n    x = 2\n", "# why\nx = 2\n"),
        (
            "if A:\n    x = 1\nelif unknown:\n    x = 2\nelse:\n    x = 3\n",
            "if unknown:\n    x = 2\nelse:\n    x = 3\n",
        ),
        (
            "if unknown:\n    x = 1\nelif A:\n    x = 2\nelse:\n    x = 3\n",
            "if unknown:\n    x = 1\nelse:\n    x = 3\n",
        ),
        ("if unknown:\n    x = 1\nelif not A:\n    x = 2\n", "if unknown:\n    x = 1\nelse:\n    x = 2\n"),
        ("if unknown:\n    x = 1\nelif A:\n    x = 2\n", "if unknown:\n    x = 1\n"),
        ("for i in r:\n    if B == 'b':\n        if A:\n            x\n        y\n", "for i in r:\n    y\n"),
        ("x = f(1 if C is None else 2, 3)\n", "x = f(1, 3)\n"),
        ("if 'c' in B or A > 1:\n    x\nelse:\n    y\n", "y\n"),
        ("if unknown:\n    x\n", "if unknown:\n    x\n"),
        (
            "def f():\n    if A:\n        y\n    x = g(\n        1)\n    return x\n",
            "def f():\n    return g(\n        1)\n",
        ),
        ("def f():\n    x = 1\n    return y\n", "def f():\n    x = 1\n    return y\n"),
        ("if A and unknown():\n    x\n", "if A and unknown():\n    x\n"),
    ],
)
def test_branches_that_are_not_taken_go(before: str, after: str) -> None:
    assert settled(before, VALUES) == after


def test_what_the_end_of_a_program_uses_is_kept() -> None:
    text = (
        "def a():\n    return b(A)\ndef b(x):\n    return x\ndef c():\n    return B\nclass D: ...\nif run:\n    a()\n"
    )
    kept, names = needed(ast.parse(text), VALUES)
    assert [getattr(node, "name", "end") for node in kept] == ["a", "b", "end"]
    assert names == ["A"]
