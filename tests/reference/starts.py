"""Random but plausible starts: weights with distinct domains and running statistics that fit them, and smooth random images."""

import numpy as np
import torch

from nets import BasicBlock, Bottleneck, DepthwiseSeparable, InvertedResidual, Net, PreActBlock, PreActBottleneck, SplitBatchNorm
from training import Normalize, to_pixels

BRANCH_GAIN = 0.5
# The layer that scales a block's branch: a BN, or a convolution where none follows.
LAST = {
    DepthwiseSeparable: "bn2", InvertedResidual: "bn3", BasicBlock: "bn2", Bottleneck: "bn3",
    PreActBlock: "conv2", PreActBottleneck: "conv3",
}  # fmt: skip


def random_images(seed: int, count: int, size: int) -> np.ndarray:
    """[N,S,S,3] u8: noise on three scales, so that neighbouring pixels are alike and no two images are."""
    rng = np.random.default_rng(seed)
    image = torch.full((count, 3, size, size), 128.0, dtype=torch.float64)
    for cells, spread in [(3, 50.0), (7, 35.0), (size, 8.0)]:
        noise = torch.from_numpy(rng.normal(0, spread, (count, 3, cells, cells)))
        image += torch.nn.functional.interpolate(noise, size=(size, size), mode="bilinear", align_corners=False)
    return image.round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy().copy()


def sorted_labels(count: int, classes: int) -> np.ndarray:
    """Every class in turn, in the order in which an image folder lists them."""
    return np.sort(np.arange(count) % classes)


@torch.no_grad()
def random_weights(net: Net, seed: int, images: np.ndarray, data: dict) -> None:
    """Fills `net`; every value is a float32. The running statistics come from `images`, then are moved apart.

    Quiet branches and a quiet classifier keep the net far from chaos, where float32 and float64 part within a few steps.
    """
    rng = np.random.default_rng(seed)

    def normal(like, spread):
        return torch.from_numpy(rng.normal(0, spread, tuple(like.shape)))

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.copy_(normal(module.weight, (2 / fan_in) ** 0.5))
        elif isinstance(module, torch.nn.Linear):
            module.weight.copy_(normal(module.weight, 0.5 * module.in_features**-0.5))
        elif isinstance(module, SplitBatchNorm):
            for index in range(net.spec.domains):
                domain = module.domain(index)
                domain.weight.copy_(torch.from_numpy(rng.uniform(0.6, 1.4, domain.weight.shape)))
                domain.bias.copy_(normal(domain.bias, 0.2))
            continue
        if getattr(module, "bias", None) is not None:
            module.bias.copy_(normal(module.bias, 0.2))
    for block in net.modules():
        last = LAST.get(type(block), "")
        if last.startswith("conv"):
            block.get_submodule(last).weight.mul_(BRANCH_GAIN)
        elif last:
            for index in range(net.spec.domains):
                block.get_submodule(last).domain(index).weight.mul_(BRANCH_GAIN)
    layers = [m for m in net.modules() if isinstance(m, SplitBatchNorm)]
    momentum = layers[0].momentum
    x = Normalize(data, torch.float64)(to_pixels(images, torch.float64))
    for layer in layers:
        layer.momentum = 1.0
    for index in range(net.spec.domains):
        net.double()(x, [(len(x), index)], training=True, update=True)
    for layer in layers:
        layer.momentum = momentum
        for index in range(net.spec.domains):
            domain = layer.domain(index)
            domain.running_mean += normal(domain.running_mean, 0.2) * domain.running_var.sqrt()
            domain.running_var *= torch.from_numpy(rng.uniform(0.7, 1.5, domain.running_var.shape))
    for tensor in net.state_dict().values():
        tensor.copy_(tensor.float())
