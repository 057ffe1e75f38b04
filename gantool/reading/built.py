"""A variant built on its default data, untrained: to count and to look at."""

from typing import Any, NamedTuple

import torch

from gantool.config.packages import in_a_line
from gantool.data import catalog
from gantool.data.images import Data, DataSpec, ImageData
from gantool.errors import UserError
from gantool.variant import Variant

UNKNOWN = catalog.Entry(0, 32, 3, (), "")  # of data, what is then supposed


class Built(NamedTuple):
    """A variant and what it was built for; or why it could not be."""

    variant: Variant | None
    spec: DataSpec
    why: str = ""


def built(cls: Any) -> Built:
    """With its own defaults, for its own data, as far as these are known without reading any."""
    entry = catalog.CATALOG.get(cls.recipe.data, UNKNOWN)
    size = cls.recipe.size or entry.size
    blank = torch.zeros((), dtype=torch.uint8).expand(entry.images, entry.channels, size, size)
    data: Data = ImageData(blank, classes=entry.classes)  # as many as there are: options may hang on that
    try:
        if catalog.offer(cls.recipe.data):  # made by code: only it knows
            data = cls.dataset(cls.recipe, cls.Options())
        return Built(cls(cls.resolve(cls.Options(), data), data.spec), data.spec)
    except Exception as error:  # a plugin's own, or settings that want to be chosen
        return Built(None, data.spec, error.message if isinstance(error, UserError) else in_a_line(error))
