"""What D and G are made of: D is an autoencoder, and G the half of one that makes images of numbers."""

from dataclasses import dataclass
from typing import Annotated

from gantool.api import Augmented, DataSpec, MixtureNoise, decoder, downwards, encoder, upwards
from torch import Tensor, nn
from torch.nn.functional import normalize
from typer import Option


class Energetic(MixtureNoise, Augmented):
    """Noise from a mixture, as dcgan has it, and networks that are small or the paper's."""

    @dataclass(kw_only=True)
    class Options(MixtureNoise.Options, Augmented.Options):
        components: int | None = 200
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        deep: Annotated[bool, Option("--deep", help="3x3 convolutions at every size, ten times the work.")] = False


def autoencoder(code: int, width: int, deep: bool, data: DataSpec, tanh: bool = True) -> tuple[nn.Module, nn.Module]:
    """Image to code, and code to image; no norm. `deep`: BEGAN's, 3x3 kernels at every size, ten times the work.

    Without `tanh` the end is open, so that a D that is told to be wrong of an image can come back from it.
    """
    if deep:
        return encoder(code, width, data), decoder(code, width, data)
    down = nn.Sequential(downwards(8 * width, width, 0.2, data), nn.Linear(8 * width, code))
    *up, last = upwards(code, width, data, norm=None).children()
    return down, nn.Sequential(*up, *([last] if tanh or not data.images else []))


def pulling_away(s: Tensor) -> Tensor:
    """f_PT: the mean squared cosine between the codes of two examples of a batch; 0 if there are no two."""
    n, cosines = len(s), normalize(s) @ normalize(s).T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(1, n * (n - 1))
