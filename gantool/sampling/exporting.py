"""A data set as files: for looking at, for other programs, and as an input to try a translator on."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from gantool.data.images import Data, as_images
from gantool.data.points import Points
from gantool.errors import USAGE, UserError
from gantool.runtime import files, progress
from gantool.viz.drawing import encode_png

AT_ONCE = 256
PARTS = "ABCDEFGH"  # folders of examples that are several images, in their order


def export_data(data: Data, folder: Path, n: int | None = None) -> dict[str, int]:
    """Write PNGs, those of a class in its folder, those of pairs in A/ and B/; of points a CSV. Says how many where."""
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise UserError(f"{folder} is there already, and would be mixed with.", "Name a new folder.", USAGE)
    count = min(n or len(data), len(data))
    if isinstance(data, Points):
        files.make_folder(folder)
        rows = (",".join(f"{x:.7g}" for x in row) for row in data.x[:count].tolist())
        files.write(folder / "points.csv", "\n".join(rows) + "\n")
        return {"points.csv": count}
    found: dict[str, int] = {}
    with progress.current().working("images", count, "images") as tell:
        for start in range(0, count, AT_ONCE):
            index = torch.arange(start, min(start + AT_ONCE, count))
            batch = data.batch(index, torch.Generator().manual_seed(0))
            for where, number, pixels in placed(data, batch, start):
                path = folder / where / f"{number:05d}.png"
                files.make_folder(path.parent)
                files.write(path, encode_png(as_images(pixels.unsqueeze(0))[0]), sync=False)
                found[where] = found.get(where, 0) + 1
            tell(int(index[-1]) + 1)
    return found


def placed(data: Data, batch: tuple[Tensor, ...], start: int) -> Iterator[tuple[str, int, Tensor]]:
    """Each image of a batch: its folder, its number, its bytes."""
    sets = [member for member in batch if member.ndim == 4]
    if not sets or sets[0].dtype != torch.uint8 or sets[0].shape[1] not in (1, 3, 4):
        raise UserError("These data are no images of 1, 3 or 4 channels, nor points.", "Nothing was written.", USAGE)
    classes = data.spec.classes if len(sets) == 1 and len(batch) == 2 else ()
    for part, images in zip(PARTS, sets, strict=False):
        for i, pixels in enumerate(images):
            named = classes[int(batch[1][i])].replace("/", "_") if classes else ""
            yield (part if len(sets) > 1 else named), start + i, pixels
