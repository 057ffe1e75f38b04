"""The Inception network of papers, as torch-fidelity builds it: features for distances, with `gantool[fid]`."""

import hashlib
import io
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantool.data import named
from gantool.data.downloads import Known, alone, fetch
from gantool.errors import USAGE, UserError
from gantool.metrics import judge
from gantool.runtime import device
from gantool.runtime.progress import current

FEATURES = 2048
BATCH = 64
WEIGHTS = Known(  # torch-fidelity's own place of download
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    95_628_359,
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)


class Inception:
    """Makes the 2,048 features that FID and KID are made of in papers."""

    def __init__(self, weights: Path | None, where: torch.device) -> None:
        package = the_package()  # told before 96 MB are fetched for nothing
        self.where, self.network = where, build(package, known_bytes(weights or downloaded())).to(where)

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Of (n, C, S, S) bytes, grey or colour; alpha is not seen. The network itself resizes, as TensorFlow did."""
        found = []
        with current().working(f"showing {len(pixels):,} images to Inception") as tell:
            for part in torch.split(pixels[:, :3], BATCH):
                (features,) = self.network(part.expand(-1, 3, -1, -1).to(self.where))
                found.append(features.cpu())
                tell(len(found) * BATCH / len(pixels))
        return torch.cat(found)


def the_package() -> Any:
    try:
        return import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0].replace("_", "-")
        raise UserError(f"--inception needs {package}.", "pip install 'gantool[fid]'") from None


def downloaded() -> Path:
    path = named.default_folder() / "inception" / WEIGHTS.url.rpartition("/")[2]
    try:
        with alone(path.parent):
            fetch(WEIGHTS, path)
    except UserError as error:
        raise UserError(error.message, f"Bring {WEIGHTS.url} here, and name it with --inception-weights.") from None
    return path


def known_bytes(path: Path) -> bytes:
    """The weights file, if it is the one that torch-fidelity publishes. Nothing in it is read before that is sure."""
    try:
        with path.open("rb") as file:
            blob = file.read(WEIGHTS.size + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(blob).hexdigest() != WEIGHTS.sha256:
        raise UserError(f"{path} is not torch-fidelity's Inception (sha256).", f"It is at {WEIGHTS.url}", USAGE)
    return blob


def build(package: Any, blob: bytes) -> Any:
    """torch-fidelity's network with these weights, on the CPU."""
    weights = torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True)
    # Its own loading would unpickle whatever a file holds, so what it calls to fetch weights is given these instead.
    fetching = package.load_state_dict_from_url
    package.load_state_dict_from_url = lambda *args, **options: weights
    try:
        with torch.random.fork_rng(devices=[]):  # samples are drawn after this
            return package.FeatureExtractorInceptionV3("inception", [str(FEATURES)])
    finally:
        package.load_state_dict_from_url = fetching


def features_of(wanted: bool) -> int:
    """How many features distances are made of."""
    return FEATURES if wanted else judge.FEATURES


def find_extractor(wanted: bool, weights: Path | None, device_name: str) -> Inception | None:
    """Inception if it was asked for; else the judge's own features serve."""
    return Inception(weights, device.choose(device_name)) if wanted else None
