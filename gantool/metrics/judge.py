"""The judge: a small classifier, independent of any GAN, that samples are measured with."""

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gantool.errors import UserError

DIGITS_PATH = Path(__file__).parents[1] / "assets" / "digits-judge.safetensors"
DIGITS_SHA256 = "7ee7ea359a0c25f80878dee6e169ccba1d4f96f89f0f4136a11d2a9a90b3c495"
SECOND_PATH = DIGITS_PATH.with_name("second-judge.safetensors")
SECOND_SHA256 = "a9822172cda782d42cba209d8addd548d551af231c62eb573c28a92378493a3a"
FEATURES = 64
LIMIT = 1.001  # interpolation may round a hair past one; anything further is in the wrong scale
NUMBERS = 2**25  # of pixels, held as floats at once
LUMA = (0.299, 0.587, 0.114)
Progress = Callable[[float], object] | None  # told the fraction done


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def _pooled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5), nn.ReLU(), nn.MaxPool2d(2))


class Judge(nn.Module):
    """Classifies images in [-1, 1] of any side, grey or colour; `accuracy` is what it scored held out."""

    def __init__(self, channels: int = 1, classes: int = 10, side: int = 28) -> None:
        super().__init__()
        self.channels, self.classes, self.side, self.accuracy = channels, classes, side, float("nan")
        narrowing = _block(channels, 16), _block(16, 32, 2), _block(32, FEATURES, 2)
        self.body = nn.Sequential(*narrowing, _block(FEATURES, FEATURES), _block(FEATURES, FEATURES))
        self.head = nn.Linear(FEATURES, classes)

    def prepare(self, images: Tensor) -> Tensor:
        """Check the range, then bring images to the channels and side the judge was trained on."""
        known = {1, 3} if self.channels in (1, 3) else {self.channels}
        if images.ndim != 4 or images.shape[1] not in known or not images.is_floating_point():
            channels = " or ".join(map(str, sorted(known)))
            raise ValueError(f"the judge takes (n, {channels}, H, W) floats, not {(*images.shape, images.dtype)}")
        # Written so that NaN, which compares false with everything, is refused too.
        if images.numel() and not bool((images.min() >= -LIMIT) & (images.max() <= LIMIT)):
            raise ValueError("the judge takes finite images in [-1, 1]")
        images = images.float()
        if images.shape[1] > self.channels:
            images = (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        images = images.expand(-1, self.channels, -1, -1)
        if images.shape[-2:] != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        return images

    def features(self, images: Tensor) -> Tensor:
        """The (n, 64) activations the last linear layer reads."""
        return torch.mean(self.body(self.prepare(images)), (2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Class logits, (n, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits


class LeNet(Judge):
    """Another architecture, so that what fools one judge need not fool both (after LeCun et al., 1998)."""

    def __init__(self, channels: int = 1, classes: int = 10, side: int = 28) -> None:
        super().__init__(channels, classes, side)
        flat = 32 * (((side - 4) // 2 - 4) // 2) ** 2
        convolutions = _pooled(channels, 16), _pooled(16, 32)
        self.body = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(flat, 84), nn.Tanh())
        self.head = nn.Linear(84, classes)

    def features(self, images: Tensor) -> Tensor:
        """The (n, 84) activations the last linear layer reads."""
        found: Tensor = self.body(self.prepare(images))
        return found


def for_looking(judge: Judge) -> Judge:
    """The judge with its batch norms in its convolutions, which keep a pixel's channels together.

    It sees what it saw, but for rounding, up to twice as fast; it is not to be trained on, nor kept.
    """
    quick = deepcopy(judge).eval()
    for block in quick.body.modules():
        match [*block.children()]:
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *_] if isinstance(block, nn.Sequential):
                block[0], block[1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return quick.to(memory_format=torch.channels_last)


def judge_bytes(judge: Judge) -> bytes:
    """The judge as a safetensors file, as `load_judge` reads it."""
    facts = {"accuracy": round(judge.accuracy, 6), "classes": judge.classes, "side": judge.side}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in judge.state_dict().items()}
    # One entry: safetensors writes several in random order, and the digest of a judge must repeat.
    return save(tensors, {"judge": json.dumps(facts)})


def blank(channels: int, classes: int, side: int, kind: type[Judge] = Judge) -> Judge:
    """One to load weights into. Its own are drawn, and yet the random state stays: others draw after this."""
    with torch.random.fork_rng(devices=[]):
        return kind(channels, classes, side)


def load_judge(path: Path | str, sha256: str | None = None, kind: type[Judge] = Judge) -> Judge:
    """Read a judge of this kind; with `sha256`, refuse a file whose bytes differ before any of them is parsed."""
    try:
        blob = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the judge {path}: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(blob).hexdigest() != sha256:
        raise UserError(f"{path} is not the judge this version was built with", "pip install --force-reinstall gantool")
    try:
        tensors = load(blob)
        # `load` has validated the header by now, but does not hand over its metadata.
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
        facts = json.loads(header["__metadata__"]["judge"])
        # Sizes come from the tensors, so that metadata cannot ask for more memory than the file holds.
        first, last = tensors["body.0.0.weight"], tensors["head.weight"]
        judge = blank(first.shape[1], last.shape[0], int(facts["side"]), kind)
        judge.load_state_dict(tensors)
        judge.accuracy = float(facts["accuracy"])
    except (SafetensorError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is not a judge: {error}") from error
    return judge.eval()


def digits_judge() -> Judge:
    """The judge of handwritten digits that ships with gantool."""
    return load_judge(DIGITS_PATH, DIGITS_SHA256)


def second_judge() -> Judge:
    """The other judge of handwritten digits, which shares nothing with the first but what it was shown."""
    return load_judge(SECOND_PATH, SECOND_SHA256, LeNet)


@torch.no_grad()
def judge_classes(judge: Judge, images: Tensor, batch: int = 1000) -> Tensor:
    """The most likely class of each image, (n,) int64 on the device of `images`."""
    parts = [judge(part.to(judge.head.weight.device)).argmax(1) for part in torch.split(images, batch)]
    return torch.cat(parts).to(images.device)


def _augment(images: Tensor) -> Tensor:
    """Turn by up to 12 degrees, scale by up to 12 % and shift by up to 8 %, each image its own way."""
    # Drawn on the CPU, so that a seed gives the same augmentation on every device.
    turn, scale, x, y = torch.tensor([[0.21], [0.12], [0.16], [0.16]]) * (torch.rand(4, len(images)) * 2 - 1)
    cos, sin = (1 + scale) * turn.cos(), (1 + scale) * turn.sin()
    matrix = torch.stack([cos, -sin, x, sin, cos, y], 1).view(-1, 2, 3).to(images.device)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    # Repeating the border keeps the background; zeros would be a mid-grey frame.
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def fit(judge: Judge, images: Tensor, labels: Tensor, epochs: int, progress: Progress) -> None:
    """Train it on uint8 images, each shown `epochs` times and never twice alike."""
    batch = max(8, min(128, len(images) // 20))
    steps = len(images) // batch  # without a short last batch, whose statistics would mislead
    optimizer = torch.optim.AdamW(judge.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(len(images)).to(images.device)
        for step, chosen in enumerate(torch.split(order[: steps * batch], batch), epoch * steps + 1):
            moved = _augment(judge.prepare(images[chosen].float() / 127.5 - 1))
            loss = F.cross_entropy(judge(moved), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step / (epochs * steps))


def train_judge(
    images: Tensor,
    labels: Tensor,
    classes: int,
    epochs: int = 8,
    seed: int = 0,
    progress: Progress = None,
    kind: type[Judge] = Judge,
) -> Judge:
    """Train a judge on uint8 (N, C, S, S) images, on their device, holding out a tenth to score it on."""
    if not 20 <= len(images) == len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise UserError(f"a judge needs 20 or more images, each with a label from 0 to {classes - 1}")
    # The CPU generator alone is forked and seeded: nothing below draws from any other.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        judge = kind(images.shape[1], classes, 28 if images.shape[-1] == 28 else 32).to(images.device)
        held, kept = torch.randperm(len(images)).to(images.device).tensor_split([len(images) // 10])
        fit(judge.train(), images[kept], labels[kept], epochs, progress)
    right = judge_classes(judge.eval(), images[held].float() / 127.5 - 1) == labels[held]
    judge.accuracy = float(right.float().mean())
    return judge


def random_judge(channels: int) -> Judge:
    """An extractor for images without classes: the same untrained convolutions everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return Judge({4: 3}.get(channels, channels), 1, 32).eval()


def opaque(pixels: Tensor) -> Tensor:
    """Without alpha, which judges do not look at."""
    return pixels[:, :3] if pixels.shape[1] == 4 else pixels


@torch.no_grad()
def look(judge: Judge, pixels: Tensor, batch: int = 1000) -> tuple[Tensor, Tensor]:
    """Features, and probabilities of the classes, of images as bytes."""
    batch = max(1, min(batch, NUMBERS // pixels[0].numel()))  # large images a few at a time
    seen = [judge.features(part.float() / 127.5 - 1) for part in torch.split(opaque(pixels), batch)]
    features = torch.cat(seen)
    return features, judge.head(features).softmax(1)
