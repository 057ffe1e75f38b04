"""(a) What a popular tutorial's script does: DataLoader and PIL transforms, default Adam, BCELoss, prints each step."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # so that other work on the machine slows all three programs alike

import numpy as np
import torch
from networks import Network
from PIL import Image
from plain import CLASSES, discriminator, generator, main, pixels
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms
from torchvision.utils import save_image


class Digits(Dataset[Any]):
    """The embedded digits, as torchvision gives its data sets."""

    def __init__(self, net: Network, transform: Callable[[Any], Tensor]) -> None:
        self.data, self.targets = pixels(net, None)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        img, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(img.numpy(), mode="L")), target


def stepper(net: Network, data_dir: Path | None, device: torch.device) -> Callable[[], object]:
    transform = transforms.Compose(
        [transforms.Resize(net.size), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]
    )
    dataset = datasets.MNIST(str(data_dir), train=True, transform=transform) if data_dir else Digits(net, transform)
    loader = DataLoader(dataset, batch_size=net.batch, shuffle=True, drop_last=True)
    steps = (wgan_gp if net.critic > 1 else gan)(net, loader, device)
    return lambda: next(steps)


def noise(net: Network, device: torch.device) -> Tensor:
    return torch.Tensor(np.random.normal(0, 1, (net.batch, net.z))).to(device)


def gan(net: Network, loader: DataLoader[Any], device: torch.device) -> Iterator[None]:
    G = generator(net).to(device)
    D = nn.Sequential(*discriminator(net), nn.Sigmoid()).to(device)
    adversarial_loss = nn.BCELoss()
    optimizer_G = optim.Adam(G.parameters(), lr=0.0002, betas=(0.5, 0.999))
    optimizer_D = optim.Adam(D.parameters(), lr=0.0002, betas=(0.5, 0.999))
    valid = torch.ones(net.batch, 1, device=device)
    fake = torch.zeros(net.batch, 1, device=device)
    out = tempfile.mkdtemp()
    done = 0
    for epoch in range(10**9):
        for i, (imgs, labels) in enumerate(loader):
            real_imgs = imgs.to(device)
            onehot = nn.functional.one_hot(labels, CLASSES).float().to(device)

            optimizer_G.zero_grad()
            z = noise(net, device)
            gen_imgs = G(torch.cat([z, onehot], 1) if net.labelled else z)
            g_loss = adversarial_loss(D(beside(net, gen_imgs, onehot)), valid)
            g_loss.backward()
            optimizer_G.step()

            optimizer_D.zero_grad()
            real_loss = adversarial_loss(D(beside(net, real_imgs, onehot)), valid)
            fake_loss = adversarial_loss(D(beside(net, gen_imgs.detach(), onehot)), fake)
            d_loss = (real_loss + fake_loss) / 2
            d_loss.backward()
            optimizer_D.step()

            print(f"[Epoch {epoch}] [Batch {i}/{len(loader)}] [D loss: {d_loss.item()}] [G loss: {g_loss.item()}]")
            if done % 400 == 0:
                save_image(gen_imgs.data[:25], os.path.join(out, f"{done}.png"), nrow=5, normalize=True)
            done += 1
            yield


def beside(net: Network, imgs: Tensor, onehot: Tensor) -> Tensor:
    return torch.cat([imgs.view(len(imgs), -1), onehot], 1) if net.labelled else imgs


def wgan_gp(net: Network, loader: DataLoader[Any], device: torch.device) -> Iterator[None]:
    G, D = generator(net).to(device), discriminator(net).to(device)
    optimizer_G = optim.Adam(G.parameters(), lr=0.0002, betas=(0.5, 0.999))
    optimizer_D = optim.Adam(D.parameters(), lr=0.0002, betas=(0.5, 0.999))
    out = tempfile.mkdtemp()
    done = 0
    for epoch in range(10**9):
        for i, (imgs, _) in enumerate(loader):
            real_imgs = imgs.to(device)

            optimizer_D.zero_grad()
            z = noise(net, device)
            fake_imgs = G(z)
            real_validity, fake_validity = D(real_imgs), D(fake_imgs)
            gradient_penalty = penalty(D, real_imgs.data, fake_imgs.data)
            d_loss = -torch.mean(real_validity) + torch.mean(fake_validity) + 10 * gradient_penalty
            d_loss.backward()
            optimizer_D.step()

            optimizer_G.zero_grad()
            done += 1
            if done % net.critic == 0:
                fake_imgs = G(z)
                g_loss = -torch.mean(D(fake_imgs))
                g_loss.backward()
                optimizer_G.step()
                print(f"[Epoch {epoch}] [Batch {i}/{len(loader)}] [D loss: {d_loss.item()}] [G loss: {g_loss.item()}]")
                if done % 400 == 0:
                    save_image(fake_imgs.data[:25], os.path.join(out, f"{done}.png"), nrow=5, normalize=True)
                yield


def penalty(D: nn.Module, real_samples: Tensor, fake_samples: Tensor) -> Tensor:
    alpha = torch.Tensor(np.random.random((real_samples.size(0), 1, 1, 1))).to(real_samples.device)
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    gradients = torch.autograd.grad(
        outputs=d_interpolates, inputs=interpolates, grad_outputs=torch.ones_like(d_interpolates),
        create_graph=True, retain_graph=True, only_inputs=True,
    )[0]  # fmt: skip
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


if __name__ == "__main__":
    main(stepper)
