"""Images from anywhere, measured against others."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantool.data.albums import EXTENSIONS
from gantool.data.images import IN_MEMORY, DataSpec, ImageData, shaped
from gantool.data.opening import open_folder
from gantool.errors import USAGE, UserError
from gantool.evaluation import controls, evaluation, gates
from gantool.evaluation.held import Real, halves, mixed, open_real
from gantool.evaluation.offered import Offered
from gantool.evaluation.scores import scores, see, see_data
from gantool.evaluation.settings import HowToMeasure
from gantool.metrics.inception import features_of, find_extractor
from gantool.metrics.judges import check_judge, find_judge

BOTH = "--images and --against both need as many"


def compare(images: Path | ImageData, against: str, how: HowToMeasure) -> dict[str, Any]:
    """Scores of images that came from anywhere, between one of them repeated and other real images."""
    wanted, features = gates.chosen(how.metrics), features_of(how.with_inception)
    offered = Offered(wanted)
    offered.check_names(wanted)
    real = real_set(against, how.data_dir, 2 * features)
    spec = real.reference.spec
    shown = mixed(like(images, spec) if isinstance(images, ImageData) else image_set(images, spec), how.seed)
    n = evaluation.enough(how, len(shown), len(real.reference), way_out=BOTH)
    extractor = find_extractor(how.with_inception, how.inception_weights, how.device)
    judge, who = find_judge(spec, against, real[:2])
    on = evaluation.ground_of(judge, real, n, extractor)._replace(second=check_judge(spec, against), offered=offered)
    x = see_data(judge, shown, n)
    what = f"{len(images)} images" if isinstance(images, ImageData) else str(images)
    found: dict[str, Any] = {"images": what, "against": against, "judge": who, "n": n}
    found |= {"extractor": "inception"} if extractor else {}
    found |= {"split": real.split, "scores": scores(x, on, wanted), "floor_from": "one of the images, repeated"}
    found |= evaluation.lacking(found["scores"], wanted)
    one, _ = controls.one_image(x.pixels, torch.zeros(n))
    found["floor"] = evaluation.floor(see(judge, one, x.labels), on, wanted)
    if len(real.others) >= n:
        found["ceiling"] = evaluation.ceiling(see_data(judge, real.others, n), on, wanted)
    offered.without_failed(found)
    return found


def like(images: ImageData, spec: DataSpec) -> ImageData:
    """At the size and channels of others, and with classes only if they are theirs."""
    pixels = shaped(images.pixels, spec.size, spec.channels)
    return ImageData(pixels, images.labels, spec.classes) if images.spec.classes == spec.classes else ImageData(pixels)


def real_set(against: str, folder: Path | None, fewest: int) -> Real:
    """As for a model; but where halves would be too few, all of them, and no others beside."""
    npz = Path(against).suffix == ".npz"
    real = halves(image_set(Path(against))) if npz else open_real(against, folder)
    if len(real.reference) <= fewest and real.training:
        nothing = ImageData(real.training.pixels[:0], real.training.labels[:0], real.training.spec.classes)
        return Real(mixed(real.training), nothing, "all", real.training)
    return real


def image_set(path: Path, like: DataSpec | None = None) -> ImageData:
    """A folder, a zip or an .npz: at the size and channels of others, and with classes only if they are theirs."""
    size, channels = (like.size, like.channels) if like else (None, None)
    if path.suffix == ".npz":
        pixels, labels = from_npz(path)
        theirs = like.classes if like else ()
        classes = theirs if labels is not None and bool(((labels >= 0) & (labels < len(theirs))).all()) else ()
        return ImageData(shaped(pixels, size, channels), labels if classes else None, classes)
    if path.is_file() and path.suffix.lower() not in (".zip", *EXTENSIONS) and not zipfile.is_zipfile(path):
        more = "gantool sample VARIANT --out FILE.npz writes such a file."
        raise UserError(f"{path} is none of a folder, a zip and an .npz.", more, USAGE)
    found = open_folder(path, size, channels)
    if found.streamed:
        raise UserError(f"{path} is too large to be measured in memory.")
    return found if like is None or found.spec.classes == like.classes else ImageData(found.pixels)


def from_npz(path: Path) -> tuple[Tensor, Tensor | None]:
    """What `gantool sample --out FILE.npz` writes: `images`, bytes (n, H, W) or (n, H, W, C), and perhaps `labels`."""
    wrong = ""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > IN_MEMORY:
                raise UserError(f"{path} is too large to be measured in memory.")
        with np.load(path, allow_pickle=False) as arrays:
            images = arrays["images"]
            labels = arrays.get("labels")
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as error:
        wrong = " ".join(str(error).split())[:100] or type(error).__name__
    else:
        images = images[..., None] if images.ndim == 3 else images
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or not images.size:
            wrong = "its images are not bytes of shape (n, H, W) or (n, H, W, 1, 3 or 4)"
        elif images.shape[1] != images.shape[2]:
            wrong = "its images are not square"
        elif labels is not None and (labels.shape != images.shape[:1] or labels.dtype.kind not in "iu"):
            wrong = "its labels are not one whole number for each image"
    if wrong:
        raise UserError(
            f"{path} cannot be used: {wrong}.", "gantool sample VARIANT --out FILE.npz writes such files.", USAGE
        )
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return pixels, None if labels is None else torch.from_numpy(labels.astype(np.int64))
