"""Decides what a piece of Python says of settings that are known, and drops what it then has no use for.

The rest of the text stays as it was written, comments and all.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Values = Mapping[str, Any]  # of the names that are known
Edit = tuple[int, int, str]  # what becomes of a part of a text, from here to there
TESTS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.Gt: operator.gt,
}  # fmt: skip


class Open(Exception):
    """Known only when the program runs."""


def decided(node: ast.expr, values: Values) -> Any:
    """What an expression is, if it is made of names that are known."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not decided(operand, values)
        case ast.BoolOp(op=op, values=parts):
            found = [bool(decided(part, values)) for part in parts]
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in TESTS:
            return TESTS[type(op)](decided(left, values), decided(right, values))
    raise Open


def settled(text: str, values: Values) -> str:
    """The text without the branches that are not taken: of `if` as a statement, and inside an expression.

    What a function then calls `x` only to return it, it returns at once.
    """
    while edit := first_edit(text, values) or first_detour(text):
        start, end, new = edit
        text = text[:start] + new + text[end:]
    return text


def first_edit(text: str, values: Values) -> Edit | None:
    starts = offsets(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If | ast.IfExp):
            try:
                taken = bool(decided(node.test, values))
            except Open:
                continue
            return branch(text, starts, node, taken) if isinstance(node, ast.If) else chosen(text, starts, node, taken)
    return None


def first_detour(text: str) -> Edit | None:
    """`x = f(x)`, then `return x`, at the end of a function."""
    starts = offsets(text)
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(body=[*_, ast.Assign(targets=[ast.Name(id=a)]) as last, ast.Return(ast.Name(id=b))]):
                if a == b:
                    start, end = span(starts, last.value)
                    return span(starts, last)[0], span(starts, node)[1], f"return {text[start:end]}"
    return None


def offsets(text: str) -> list[int]:
    """Where each line begins."""
    found = [0]
    for line in text.splitlines(keepends=True):
        found.append(found[-1] + len(line))
    return found


def span(starts: list[int], node: Any) -> tuple[int, int]:
    """Of a node of a text that is ASCII, as those that are pruned are."""
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def chosen(text: str, starts: list[int], node: ast.IfExp, taken: bool) -> Edit:
    start, end = span(starts, node.body if taken else node.orelse)
    return (*span(starts, node), text[start:end])


def branch(text: str, starts: list[int], node: ast.If, taken: bool) -> Edit:
    """The branch that is taken, in place of the whole statement."""
    lines = text.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno or 0
    body = (node.body[-1].end_lineno or 0) if node.body else 0
    if taken:
        kept = within(lines[node.test.end_lineno or 0 : body], node)
    elif not node.orelse:
        kept = ""
    elif lines[body].lstrip().startswith("elif "):
        kept = " " * node.col_offset + "".join(lines[body:last]).lstrip()[2:]
    else:
        kept = within(lines[body + 1 : last], node)
    if lines[first].lstrip().startswith("elif "):  # of an `if` whose own test is open
        inside = "".join(f"    {line}" for line in kept.splitlines(keepends=True)) if kept else ""
        kept = " " * node.col_offset + "else:\n" + inside if kept else ""
    return starts[first], starts[last], kept


def within(lines: list[str], node: ast.If) -> str:
    """A block's lines, where the statement itself was."""
    deeper = node.body[0].col_offset - node.col_offset
    return "".join(line[deeper:] if line.strip() else line for line in lines)


def used(nodes: Iterator[ast.AST] | list[ast.AST]) -> set[str]:
    """Every name that is read."""
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def needed(tree: ast.Module, values: Values) -> tuple[list[ast.stmt], list[str]]:
    """What of a program is used by its last statement, in order; and which known names that reads."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    *_, last = tree.body
    kept, coming = {id(last)}, used([last])
    read: dict[str, None] = {}
    while coming:
        name = coming.pop()
        if name in values:
            read[name] = None
        node = defined.get(name)
        if node and id(node) not in kept:
            kept.add(id(node))
            coming |= used([node])
    return [node for node in tree.body if id(node) in kept], list(read)
