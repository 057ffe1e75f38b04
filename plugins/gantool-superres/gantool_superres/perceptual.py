"""The perceptual network: images by what is in them: VGG19, gantool's judge of digits, or random features."""

import hashlib
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from gantool.api import USAGE, DataSpec, UserError, judged_digits
from torch import Tensor, nn
from torch.nn.functional import mse_loss

KINDS = ("vgg19", "digits", "random")
NAMES = {"vgg19": "by VGG19", "digits": "by the judge of digits", "random": "by random features"}
WEIGHTS = "vgg19-dcbb9e9d.pth"  # torchvision's
VGG = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)  # 0: a maximum of four
SCALE = 1 / 12.75  # of VGG's features, section 3.2
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of what VGG19 was trained on, from 0 to 1
SEED = 1609_04802

Features = Callable[[Tensor], list[Tensor]]


def chosen(requested: str, data: DataSpec) -> str:
    """One of KINDS; auto: VGG19 if its weights are there, else the judge of digits if it is digits."""
    if requested == "vgg19" and vgg_file() is None:
        name = f"Name the file, GANTOOL_VGG19=.../{WEIGHTS}, or put it into {hub()}."
        raise UserError("The weights of VGG19 are not there.", name, USAGE)
    if requested == "digits" and not shows_digits(data):
        raise UserError("The judge of digits has nothing to say of these data.", "--perceptual random", USAGE)
    if requested != "auto":
        return requested
    return "vgg19" if vgg_file() else "digits" if shows_digits(data) else "random"


def shows_digits(data: DataSpec) -> bool:
    return data.classes == tuple("0123456789") and data.channels == 1


def features(kind: str, device: torch.device) -> Features:
    """What such a network sees in images from -1 to 1; differentiable, and random numbers stay where they are."""
    if kind == "digits":
        return lambda x: [judged_digits(x.clamp(-1, 1))[0]]
    return vgg19(device) if kind == "vgg19" else random_features(device)


def distance(see: Features, x: Tensor, y: Tensor) -> Tensor:
    """The mean squared difference of x from y, as they are seen."""
    with torch.no_grad():
        wanted = see(y)
    seen = see(x)
    return torch.stack([mse_loss(a, b) for a, b in zip(seen, wanted, strict=True)]).mean()


def hub() -> Path:
    """Where torch keeps what was downloaded with it. (Its own word for that comes from a module that runs code.)"""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return Path(os.environ.get("TORCH_HOME") or cache, "hub", "checkpoints").expanduser()


def vgg_file() -> Path | None:
    """The file that the environment names, or the one in torch's cache; nothing is downloaded."""
    if named := os.environ.get("GANTOOL_VGG19"):
        if not Path(named).is_file():
            raise UserError(f"GANTOOL_VGG19={named} is no file.", f"It should be torchvision's {WEIGHTS}.", USAGE)
        return Path(named)
    return found if (found := hub() / WEIGHTS).is_file() else None


@cache
def vgg19(device: torch.device) -> Features:
    """phi_5,4: the fourth convolution's maps before the fifth maximum, after its ReLU."""
    file = vgg_file()
    assert file is not None  # `chosen` has seen it
    weights = read(file)
    with torch.device("meta"):
        network = convolutions(VGG)
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise UserError(f"{file} holds no VGG19.", f"It should be torchvision's {WEIGHTS}.", USAGE) from None
    network.requires_grad_(False).to(device)
    mean, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))

    def see(x: Tensor) -> list[Tensor]:
        return [SCALE * network(((x.expand(-1, 3, -1, -1) + 1) / 2 - mean) / deviation)]

    return see


def read(file: Path) -> dict[str, Tensor]:
    """The convolutions' weights, of a file whose name ends in the beginning of its digest, as torchvision's do."""
    said = re.search(r"-([0-9a-f]{8,64})\.pth$", file.name)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if said is None or not digest.startswith(said[1]):
        why = f"{file} has the digest {digest[:8]}, and its name says otherwise."
        raise UserError(why, f"It should be torchvision's {WEIGHTS}.", USAGE)
    held = torch.load(file, map_location="cpu", weights_only=True)
    return {key[9:]: value for key, value in held.items() if key.startswith("features.")}


def convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    layers, c = list[nn.Module](), 3
    for width in widths:
        layers += [nn.Conv2d(c, width, 3, 1, 1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        c = width or c
    return nn.Sequential(*layers)


@cache
def random_features(device: torch.device, seed: int = SEED) -> Features:
    """Three convolutions that were never trained, the same ones everywhere: edges and blobs, ever larger."""
    rng, c, banks = torch.Generator().manual_seed(seed), 3, list[Tensor]()
    for width in (32, 64, 64):
        banks.append((torch.randn(width, c, 3, 3, generator=rng) * (2 / (9 * c)) ** 0.5).to(device))
        c = width

    def see(x: Tensor) -> list[Tensor]:
        x, seen = x.expand(-1, 3, -1, -1), list[Tensor]()
        for bank in banks:
            x = torch.relu(torch.conv2d(x, bank.to(x.dtype), padding=1))
            seen.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        return seen

    return see
