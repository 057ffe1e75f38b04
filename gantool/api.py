"""All that a variant needs: the one module a plugin imports."""

from gantool.data.pictures import Data, DataSpec, Pictures, open_data, open_folder
from gantool.errors import USAGE, UserError
from gantool.hookspecs import hookimpl
from gantool.nn import UpsampledConv, downwards, layers, mlp, r1, sides, upwards
from gantool.options import InputOptions, NoiseOptions, Options, Recipe, SampleOptions
from gantool.variant import Batch, Loss, Turn, Variant

__all__ = [
    "USAGE", "Batch", "Data", "DataSpec", "InputOptions", "Loss", "NoiseOptions", "Options", "Pictures", "Recipe",
    "SampleOptions", "Turn", "UpsampledConv", "UserError", "Variant", "downwards", "hookimpl", "layers", "mlp",
    "open_data", "open_folder", "r1", "sides", "upwards",
]  # fmt: skip
