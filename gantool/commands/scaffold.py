"""`gantool new NAME`: a package with a working variant, ready to install, change and publish."""

import keyword
import re
from contextlib import suppress
from pathlib import Path
from string import Template

from gantool import __version__
from gantool.errors import USAGE, UserError
from gantool.registry import Registry
from gantool.runtime import files

TEMPLATES = Path(__file__).parents[1] / "assets" / "new"


def scaffold(registry: Registry, name: str, out: Path | None) -> None:
    name = name.removeprefix("gantool-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name.capitalize()):
        raise UserError(f"{name!r} is not a variant's name.", "Use small letters, digits and dashes: my-gan.", USAGE)
    if name in registry.offers:
        owner = registry.offers[name][0].package
        raise UserError(f"{name} is taken, by the package {owner}.", "Choose another name.", USAGE)
    folder = out or Path(f"gantool-{name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is already there.", "Give --out another folder.", USAGE)
    major, minor, *_ = (int(part) for part in __version__.split("."))
    words = {
        "name": name,
        "module": "gantool_" + name.replace("-", "_"),
        "class": "".join(part.capitalize() for part in name.split("-")),
        "bounds": f"gantool>={major}.{minor},<{major}.{minor + 1}",
    }
    made: list[Path] = []
    try:
        for template in sorted(TEMPLATES.rglob("*.txt")):
            made.append(folder / Template(str(template.relative_to(TEMPLATES))).substitute(words).removesuffix(".txt"))
            files.make_folder(made[-1].parent)
            files.write(made[-1], Template(template.read_text()).substitute(words))
    except BaseException:  # half a package would be in the way of the next try
        for path in reversed(made):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()
        raise
    print(f"{folder} holds a variant that trains. Next:")
    print(f"  pip install -e {folder}")
    print(f"  gantool train {name}")
