"""`gantool encode`: what a model's encoder makes of images."""

import sys
from pathlib import Path

from gantool.commands.shared import at_work, free
from gantool.errors import USAGE, UserError


def shown(model: str, source: Path, out: Path | None, force: bool, quiet: bool, device: str) -> None:
    if not source.exists():
        raise UserError(f"There is no file or folder {source}.", "Give --input an image, or a folder of them.", USAGE)
    out = out or free("latents.npz")
    from gantool import library
    from gantool.results import npz_name

    if npz_name(out).exists() and not force:
        raise UserError(f"{out} is already there.", "Give another --out, or --force to write over it.", USAGE)
    with at_work(quiet, answers=True):
        found = library.load(model, device=device).encode(source)
        try:
            found.save(out)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.", "Give another --out.", USAGE) from None
    if not quiet:
        print(f"{len(found)} latents of {found.array.shape[1]} numbers in {out}", file=sys.stderr)
