"""The public names of gantool and of gantool.api as pages of Markdown, read from the source: nothing is imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
WIDE = 80  # characters of a signature that stays in one line
HEADER = "| name | what |\n|---|---|"
Definition = ast.FunctionDef | ast.ClassDef
SILENT = ("property", "cached_property")  # decorators that the signature shows


class Source(NamedTuple):
    """A module as it is written."""

    lines: list[str]
    tree: ast.Module


class Found(NamedTuple):
    """What defines a name, and in which module."""

    module: str
    node: ast.Module | ast.stmt


@cache
def source(module: str) -> Source:
    """Empty where there is no such module of ours."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return Source([], ast.Module([], []))
    text = path.read_text(encoding="utf-8")
    return Source(text.splitlines(), ast.parse(text))


def decorators(node: Definition) -> list[str]:
    return [ast.unparse(decorator) for decorator in node.decorator_list]


def assigned(node: ast.AST) -> set[str]:
    """The names that a statement gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}


def find(module: str, name: str) -> Found | None:
    """Where a name is defined, through imports, also those under TYPE_CHECKING; None for what is not ours."""
    for top in source(module).tree.body:
        for node in top.body if isinstance(top, ast.If) else [top]:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        return find(node.module, alias.name)
            elif isinstance(node, Definition):
                if name == node.name and "overload" not in decorators(node):
                    return Found(module, node)
            elif name in assigned(node):
                return Found(module, node)
    inner = source(f"{module}.{name}")
    return Found(f"{module}.{name}", inner.tree) if inner.lines else None


def value(module: str, node: ast.expr) -> tuple[str, ast.expr] | None:
    """What a name was assigned, and where; None for all else."""
    found = find(module, node.id) if isinstance(node, ast.Name) else None
    return (found.module, found.node.value) if found and isinstance(found.node, ast.Assign) else None


def public(module: str) -> list[str]:
    """Its `__all__`."""
    found = value(module, ast.Name("__all__"))
    names: list[str] = ast.literal_eval(found[1]) if found else []
    return names


class Spelled(ast.NodeTransformer):
    """A type as a reader can know it: without a module's own short names, unless these are public."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.known = {*public("gantool"), *public("gantool.api")}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = None if node.id in self.known else value(self.module, node)
        return ast.parse(spelled(*found), mode="eval").body if found else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`settings.Recipe`, of a module of ours, is Recipe."""
        found = find(self.module, node.value.id) if isinstance(node.value, ast.Name) else None
        return ast.Name(node.attr) if found and isinstance(found.node, ast.Module) else node


def spelled(module: str, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # in quotes: what is imported for types alone
        return spelled(module, ast.parse(node.value, mode="eval").body)
    return ast.unparse(Spelled(module).visit(ast.parse(ast.unparse(node), mode="eval").body))


def signature(module: str, node: ast.FunctionDef, name: str) -> str:
    """`name(x: Tensor, n: int = 1) -> Tensor`, in several lines where it is long; of a property, its type."""
    gives = spelled(module, node.returns) if node.returns else ""
    if {*SILENT} & {*decorators(node)}:
        return f"{name}: {gives}"

    def said(argument: ast.arg, default: ast.expr | None = None, star: str = "") -> str:
        of = f": {spelled(module, argument.annotation)}" if argument.annotation else ""
        return f"{star}{argument.arg}{of}" + (f" = {ast.unparse(default)}" if default else "")

    a = node.args
    placed = [*a.posonlyargs, *a.args]
    unset: list[ast.expr | None] = [None] * (len(placed) - len(a.defaults))
    parts = [said(*pair) for pair in zip(placed, [*unset, *a.defaults], strict=True)]
    parts = parts[parts[:1] in (["self"], ["cls"]) :]
    parts += [said(a.vararg, star="*")] if a.vararg else ["*"] * bool(a.kwonlyargs)
    parts += [said(*pair) for pair in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    parts += [said(a.kwarg, star="**")] if a.kwarg else []
    answer = f" -> {gives}" if node.name != "__init__" else ""
    line = f"{name}({', '.join(parts)}){answer}"
    return line if len(line) <= WIDE else f"{name}(\n    " + ",\n    ".join(parts) + f",\n){answer}"


def plain(doc: str | None) -> str:
    """Words in which an asterisk outside code is one."""
    return "`".join(part if i % 2 else part.replace("*", r"\*") for i, part in enumerate((doc or "").split("`")))


def shown(module: str, node: Definition, name: str) -> Iterator[str]:
    """Code, as one would write it; what its docstring says."""
    made = [f"@{decorator}" for decorator in decorators(node) if decorator not in SILENT]
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(spelled(module, base) for base in node.bases)
        made.append(f"class {name}({bases})" if bases else f"class {name}")
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        made += [signature(module, init, name) for init in inits]
    else:
        made.append(signature(module, node, name))
    yield "\n".join(["```python", *made, "```"])
    yield plain(ast.get_docstring(node))


def row(module: str, node: ast.AnnAssign, line: str) -> str:
    """Of a class's table: a setting with its help, or another name with the comment beside it."""
    default, what = ast.unparse(node.value) if node.value else "", line.partition("  # ")[2]
    _, of = value(module, node.annotation) or (module, node.annotation)
    if isinstance(of, ast.Subscript) and isinstance(of.slice, ast.Tuple) and ast.unparse(of.value) == "Annotated":
        of, option = of.slice.elts
        said = {word.arg: word.value for word in option.keywords} if isinstance(option, ast.Call) else {}
        what = ast.literal_eval(said["help"])
        if isinstance(word := said.get("show_default"), ast.Constant) and word.value:
            what += f" By default: {word.value!s}."
    unset = not node.value or default.startswith("field(")
    return f"| `{ast.unparse(node.target)}: {spelled(module, of)}{'' if unset else f' = {default}'}` | {plain(what)} |"


def end(node: ast.stmt) -> int:
    """Its last line; where one line is all, that."""
    return node.end_lineno or node.lineno


def of_class(module: str, cls: ast.ClassDef, name: str) -> Iterator[str]:
    """What it declares, the classes in it, and its methods, under the comments that stand above them."""
    lines, done = source(module).lines, cls.lineno
    yield from shown(module, cls, name)
    declared = [n for n in cls.body if isinstance(n, ast.AnnAssign) and not ast.unparse(n.target).startswith("_")]
    # What is no setting, and of which nothing is said, is the class's own business.
    declared = [n for n in declared if "ClassVar" not in ast.unparse(n.annotation) or "  # " in lines[end(n) - 1]]
    if declared:
        yield "\n".join([HEADER, *(row(module, n, lines[end(n) - 1]) for n in declared)])
    for node in cls.body:
        if isinstance(node, ast.ClassDef):
            yield f"### `{name}.{node.name}`"
            yield from of_class(module, node, f"{name}.{node.name}")
        elif isinstance(node, ast.FunctionDef):
            above = [line[6:].rstrip(".") for line in lines[done : node.lineno - 1] if line.startswith("    # What ")]
            yield from (f"### {words}" for words in above)
            if not node.name.startswith("_") or "abstractmethod" in decorators(node):
                yield from shown(module, node, node.name)
        done = end(node)


def page(module: str) -> str:
    """All that a module offers, in the order of its `__all__`."""
    parts = [f"# {module}", plain(ast.get_docstring(source(module).tree))]
    for name in public(module):
        parts.append(f"## `{name}`")
        if not (found := find(module, name)):
            raise SystemExit(f"{module}.{name} is public and nowhere to be found")
        at, node = found
        if isinstance(node, ast.ClassDef):
            parts += of_class(at, node, name)
        elif isinstance(node, ast.FunctionDef):
            parts += shown(at, node, name)
        elif isinstance(node, ast.stmt):
            parts.append("\n".join(["```python", *source(at).lines[node.lineno - 1 : end(node)], "```"]))
    return "\n\n".join(part for part in parts if part) + "\n"
