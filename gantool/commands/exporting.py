"""`gantool data export`: a data set as files."""

from pathlib import Path

from gantool.commands.shared import at_work
from gantool.data import catalog
from gantool.errors import USAGE, UserError


def shown(name: str, folder: str, n: str | None, data_dir: str | None, test: bool) -> None:
    if n is not None and not (n.isdecimal() and int(n)):
        raise UserError(f"--n should be a whole number from 1 on, not {n!r}.", "See: gantool data export --help", USAGE)
    catalog.is_named(name)
    from gantool.config.options import Recipe
    from gantool.data.images import Data
    from gantool.data.opening import open_data
    from gantool.sampling.exporting import export_data

    with at_work(answers=True):
        recipe = Recipe(data=name, data_dir=Path(data_dir) if data_dir else None)
        data = open_data(recipe, not test, of=Data)  # type: ignore[type-abstract]
        written = export_data(data, Path(folder), int(n) if n else None)
    for where, count in written.items():
        print(f"{count:,} in {Path(folder) / where}")
