"""What gantool gives back beside runs and models: images, a report, a card. Each shows itself in a notebook."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantool.errors import USAGE, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor


@dataclass(eq=False)
class Images:
    """Images as bytes, as they are saved and measured; `labels` where their classes are known."""

    arrays: "Sequence[NDArray[np.uint8]]"  # (H, W, C) each; those made of images may differ in size
    labels: "NDArray[np.int64] | None" = None
    classes: tuple[str, ...] = ()
    names: Sequence[str] = ()
    columns: int | None = None  # of the grid, where they are laid out by what varies
    scale: int | None = None  # of each pixel in a grid; None: as large as it takes to be seen

    def __post_init__(self) -> None:
        self.names = self.names or [f"{i:05d}" for i in range(len(self.arrays))]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, which: int | slice) -> "Images":
        """Some of them; one is images too, and shows itself."""
        which = which if isinstance(which, slice) else slice(range(len(self))[which], range(len(self))[which] + 1)
        labels = None if self.labels is None else self.labels[which]
        return Images(self.arrays[which], labels, self.classes, self.names[which], scale=self.scale)

    @property
    def tensor(self) -> "Tensor":
        """Bytes, (n, C, H, W); of points their numbers, (n, k)."""
        import torch

        tensors = (torch.tensor(array) for array in self.arrays)
        return torch.stack([x.permute(2, 0, 1) if x.ndim == 3 else x for x in tensors])

    def floats(self) -> "Tensor":
        """In [-1, 1], as networks have them."""
        return self.tensor.float() / 127.5 - 1

    def grid(self, columns: int | None = None) -> "Image":
        """All of them as one image."""
        from PIL import Image

        sheet = self._sheet(columns)
        return Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)

    def _sheet(self, columns: int | None = None) -> "NDArray[np.uint8]":
        import numpy as np

        from gantool.sampling.writers import laid_out

        return laid_out(np.stack(self.arrays), self.labels, self._drawing(columns))

    def _drawing(self, columns: int | None) -> Any:
        from gantool.sampling.writers import Drawing

        return Drawing(len(self), columns or self.columns, self._parts(), self.classes, self.scale)

    def save(self, path: str | Path, columns: int | None = None) -> Path:
        """As `gantool sample --out`: FILE.png a grid, FILE.gif, FILE.npz, FILE.idx, or a folder of PNGs."""
        from gantool.sampling.writers import check_kind, write

        out = Path(path)
        check_kind(out)
        write(out, self._drawing(columns))
        return out

    def _parts(self) -> Iterator[Any]:
        from gantool.sampling.writers import Drawn

        for i, (array, name) in enumerate(zip(self.arrays, self.names, strict=True)):
            yield Drawn(array[None], None if self.labels is None else self.labels[i : i + 1], [name])

    def _repr_png_(self) -> bytes | None:
        from gantool.viz.drawing import encode_png

        return encode_png(self._sheet()) if len({array.shape for array in self.arrays}) == 1 else None

    def __repr__(self) -> str:
        shapes = sorted({"x".join(map(str, (*a.shape[1::-1], *a.shape[2:]))) for a in self.arrays})
        return (
            f"<{len(self)} images {', '.join(shapes)}>"
            if self.arrays and self.arrays[0].ndim > 1
            else (f"<{len(self)} points>")
        )


@dataclass(eq=False)
class Latents:
    """What an encoder makes of images: a row of `array` for each of `names`."""

    array: "NDArray[np.float32]"
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.array)

    def save(self, path: str | Path) -> Path:
        """As FILE.npz: `latents`, (n, numbers), and `names`."""
        import numpy as np

        from gantool.data.archives import write_npz

        out = npz_name(path)
        write_npz(out, {"latents": self.array, "names": np.array(self.names)})
        return out

    def __repr__(self) -> str:
        return f"<{len(self)} latents of {self.array.shape[1]} numbers>"


def npz_name(path: str | Path) -> Path:
    """A name that ends in .npz; UserError for another."""
    if Path(path).suffix != ".npz":
        raise UserError(f"{path} should end in .npz.", f"For example: {Path(path).stem or 'latents'}.npz", USAGE)
    return Path(path)


@dataclass(eq=False)
class Report:
    """Scores of a model or of images, each between a `floor` and the `ceiling` that real images get."""

    facts: dict[str, Any]
    scores: dict[str, float] = field(init=False)
    floor: dict[str, float] = field(init=False)
    ceiling: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.scores, self.floor = self.facts["scores"], self.facts.get("floor", {})
        self.ceiling = self.facts.get("ceiling", {})

    @property
    def verdict(self) -> str:
        """All thresholds in a sentence; nothing where there are none."""
        from gantool.evaluation.report import verdict

        return verdict(self.facts)

    def table(self) -> list[tuple[str, ...]]:
        """A header, then a row a score, as `gantool eval` prints them."""
        from gantool.evaluation.report import HEADER, rows

        return [HEADER, *rows(self.facts)]

    def _repr_html_(self) -> str:
        return html_table(self.table()) + f"<p>{escape(self.verdict)}</p>"

    def __repr__(self) -> str:
        return f"<report: {', '.join(f'{name} {value:.4g}' for name, value in self.scores.items())}>"


@dataclass(eq=False)
class Card:
    """Acceptance of a variant: its scores over several seeds, held to its thresholds, beside negative controls."""

    facts: dict[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether every threshold is passed, and every negative control fails one."""
        return bool(self.facts["accepted"])

    def table(self) -> list[tuple[str, ...]]:
        """A header, then a row a threshold, as `gantool accept` prints them."""
        from gantool.evaluation.cards import HEADER, table

        return [HEADER, *table(self.facts)]

    def _repr_html_(self) -> str:
        return html_table(self.table())

    def __repr__(self) -> str:
        from gantool.evaluation.cards import summary

        return f"<card: {summary(self.facts)}>"


@dataclass(frozen=True)
class Known:
    """A variant or a data set that is installed."""

    name: str
    summary: str
    package: str
    version: str
    task: str = ""
    paper: str = ""


def html_table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[escape(cell) for cell in row] for row in rows]
    lines = ["<tr><th>" + "</th><th>".join(head) + "</th></tr>"]
    lines += ["<tr><td>" + "</td><td>".join(row) + "</td></tr>" for row in body]
    return f"<table>{''.join(lines)}</table>"
