"""All that a variant needs: the one module a plugin imports."""

from gantool.data.catalog import known
from gantool.data.opening import open_data, open_folder
from gantool.data.pictures import Data, DataSpec, Pictures, as_floats
from gantool.errors import USAGE, UserError
from gantool.hookspecs import hookimpl
from gantool.measuring.digits import judged_digits
from gantool.measuring.measures import frechet, modes
from gantool.nn import ThinConv, UpsampledConv, downwards, layers, mlp, r1, shifted, sides, upwards
from gantool.noise import coded
from gantool.options import InputOptions, LabelOptions, NoiseOptions, Options, Recipe, SampleOptions
from gantool.penalised import Augmented, Penalised
from gantool.variant import Batch, Loss, Turn, Variant

__all__ = [
    "USAGE", "Augmented", "Batch", "Data", "DataSpec", "InputOptions", "LabelOptions", "Loss", "NoiseOptions",
    "Options", "Penalised", "Pictures", "Recipe", "SampleOptions", "ThinConv", "Turn", "UpsampledConv", "UserError",
    "Variant", "as_floats", "coded", "downwards", "frechet", "hookimpl", "judged_digits", "known", "layers", "mlp",
    "modes", "open_data", "open_folder", "r1", "shifted", "sides", "upwards",
]  # fmt: skip
