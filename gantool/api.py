"""All that a variant needs: the one module a plugin imports."""

from gantool.config.options import (
    InputOptions,
    LabelOptions,
    NoiseOptions,
    OptionalInput,
    Options,
    Recipe,
    SampleOptions,
)
from gantool.data.catalog import is_named
from gantool.data.images import Data, DataSpec, FromImages, ImageData, as_bytes, as_floats, evenly, in_batches
from gantool.data.named import weights
from gantool.data.opening import held_out, open_data, open_folder, open_image, open_split
from gantool.data.points import Points, scatter
from gantool.errors import USAGE, UserError
from gantool.exported import Exported, Input
from gantool.hookspecs import hookimpl
from gantool.metrics.digits import judged_digits
from gantool.metrics.matching import matched, nmi
from gantool.metrics.measures import frechet, modes
from gantool.metrics.mixtures import score_points
from gantool.metrics.pixels import psnr
from gantool.nn.attention import Attention
from gantool.nn.augment import diff_augment
from gantool.nn.autoencoder import decoder, encoder
from gantool.nn.blocks import Wrap, downwards, layers, map_sizes, mlp, output_padding, sides, unwrapped, upwards
from gantool.nn.convolutions import Resize, ThinConv, UpsampledConv
from gantool.nn.heads import MinibatchStd, Projected, d_accuracy
from gantool.nn.invariance import agreement, jittered
from gantool.nn.latents import mixture
from gantool.nn.norms import ClassNorm
from gantool.nn.penalties import gradient, gradient_norms, gradient_penalty, r1
from gantool.nn.pool import Pool
from gantool.penalised import Augmented, Mismatched, MixtureNoise, Penalised
from gantool.variant import Batch, Loss, Turn, Variant
from gantool.viz.rows import Sheet, in_rows

__all__ = [
    "USAGE",
    "Attention",
    "Augmented",
    "Batch",
    "ClassNorm",
    "Data",
    "DataSpec",
    "Exported",
    "FromImages",
    "ImageData",
    "Input",
    "InputOptions",
    "LabelOptions",
    "Loss",
    "MinibatchStd",
    "Mismatched",
    "MixtureNoise",
    "NoiseOptions",
    "OptionalInput",
    "Options",
    "Penalised",
    "Points",
    "Pool",
    "Projected",
    "Recipe",
    "Resize",
    "SampleOptions",
    "Sheet",
    "ThinConv",
    "Turn",
    "UpsampledConv",
    "UserError",
    "Variant",
    "Wrap",
    "agreement",
    "as_bytes",
    "as_floats",
    "d_accuracy",
    "decoder",
    "diff_augment",
    "downwards",
    "encoder",
    "evenly",
    "frechet",
    "gradient",
    "gradient_norms",
    "gradient_penalty",
    "held_out",
    "hookimpl",
    "in_batches",
    "in_rows",
    "is_named",
    "jittered",
    "judged_digits",
    "layers",
    "map_sizes",
    "matched",
    "mixture",
    "mlp",
    "modes",
    "nmi",
    "open_data",
    "open_folder",
    "open_image",
    "open_split",
    "output_padding",
    "psnr",
    "r1",
    "scatter",
    "score_points",
    "sides",
    "unwrapped",
    "upwards",
    "weights",
]  # fmt: skip
