"""Arrays in one file, an .npz: as np.savez does, but without the time of day in it, so the same give the same bytes."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gantool.runtime import files


def write_npz(out: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Whole or not at all."""

    def archived(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.save(member, array, allow_pickle=False)

    files.write(out, archived)
