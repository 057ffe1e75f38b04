"""All that a variant needs: the one module a plugin imports."""

from gantool.config.options import InputOptions, LabelOptions, NoiseOptions, Options, Recipe, SampleOptions
from gantool.data.catalog import known
from gantool.data.opening import open_data, open_folder
from gantool.data.pictures import Data, DataSpec, Pictures, as_floats
from gantool.errors import USAGE, UserError
from gantool.hookspecs import hookimpl
from gantool.metrics.digits import judged_digits
from gantool.metrics.measures import frechet, modes
from gantool.nn.augment import shifted
from gantool.nn.blocks import ThinConv, UpsampledConv, downwards, layers, mlp, sides, upwards
from gantool.nn.latents import coded
from gantool.nn.penalties import r1
from gantool.penalised import Augmented, Penalised
from gantool.variant import Batch, Loss, Turn, Variant

__all__ = [
    "USAGE", "Augmented", "Batch", "Data", "DataSpec", "InputOptions", "LabelOptions", "Loss", "NoiseOptions",
    "Options", "Penalised", "Pictures", "Recipe", "SampleOptions", "ThinConv", "Turn", "UpsampledConv", "UserError",
    "Variant", "as_floats", "coded", "downwards", "frechet", "hookimpl", "judged_digits", "known", "layers", "mlp",
    "modes", "open_data", "open_folder", "r1", "shifted", "sides", "upwards",
]  # fmt: skip
