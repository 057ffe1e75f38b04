"""The five networks that are timed: what gantool is told to get each of them. plain.py builds the same in plain torch.

Importing this needs no torch: a process's peak memory counts what its parent had.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Network:
    """One network, its batch and what issue and findings ask of it."""

    name: str
    variant: str  # of gantool
    batch: int
    size: int
    z: int
    g: tuple[int, ...]  # hidden units, or channels
    d: tuple[int, ...]
    normed: bool = True  # batch norm in the generator
    labelled: bool = False  # the class beside the noise and beside the image
    convolutional: bool = False
    critic: int = 1  # D's turns for each of G's
    demanded: float = 0.0  # times the script's speed
    usual: int = 6_000  # steps of a default run of such a variant, about
    own: dict[str, Any] = field(default_factory=dict)  # settings that this variant alone has

    @property
    def images(self) -> int:
        """Real images that D sees in a step."""
        return self.batch * self.critic

    def settings(self) -> dict[str, Any]:
        """Of gantool, as YAML would have them."""
        adam = {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "decay": 0}
        shape = {"batch_size": self.batch, "size": self.size, "z": self.z}
        return {**shape, **adam, "precision": "fp32", **self.own}  # as the script and the bare loop compute


def dashed(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))


def mlp(name: str, variant: str, **values: Any) -> Network:
    own = {"g_layers": dashed(values["g"]), "d_layers": dashed(values["d"])}
    return Network(name, variant, own=own | values.pop("own"), **values)


WIDE, LEAK = (128, 256, 512, 1024), 0.2
NETWORKS = {
    n.name: n
    for n in (
        mlp("gan", "gan", batch=64, size=28, z=100, g=WIDE, d=(512, 256), demanded=2.3,
            own={"r1": 0, "augment": "none", "components": 0}),
        mlp("cgan", "cgan", batch=64, size=32, z=100, g=WIDE, d=(512, 512, 512), labelled=True, demanded=2.3,
            own={"r1": 0, "augment": "none", "networks": "mlp", "mismatch": 0}),
        mlp("wgan-gp", "bench-wgan-gp", batch=64, size=28, z=100, g=WIDE, d=(512, 256), critic=5, demanded=3.0,
            usual=3_000, own={}),
        Network("dcgan", "bench-dcgan", batch=64, size=32, z=100, g=(128, 128, 64), d=(16, 32, 64, 128),
                convolutional=True, demanded=2.8, usual=3_000),
        mlp("tutorial", "gan", batch=100, size=28, z=64, g=(256, 256), d=(256, 256), normed=False, demanded=4.5,
            own={"r1": 0, "augment": "none", "components": 0, "batch_norm": 0}),
    )
}  # fmt: skip
