"""The networks of DualProp in plain PyTorch, with batch norm split into domains.

Parameter names are timm's (tf_efficientnet_*, efficientnet_*, mobilenetv3_*, resnet*) and those of the common CIFAR code (preact_resnet*). A batch-norm layer X
holds domain 0 (`main`) under X.weight, X.bias, X.running_mean, X.running_var and domain k > 0 under X.aux_bn.{k-1}.*.
`tests/reference/selfcheck.py` compares the nets with timm's.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn


def round_channels(channels: float) -> int:
    """EfficientNet's rounding rule: the nearest multiple of 8, at least 8, never more than 10% below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def round_repeats(repeats: float) -> int:
    return max(1, math.ceil(repeats))


@dataclass
class Pass:
    """What the batch-norm layers of one net need to know about the forward pass under way."""

    segments: list = field(default_factory=list)  # (images, domain), in batch order
    training: bool = False  # batch statistics, one set a segment
    update: bool = False  # move the running statistics


class Statistics(nn.Module):
    """gamma, beta and running statistics of one auxiliary domain."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))


class SplitBatchNorm(Statistics):
    def __init__(self, channels: int, spec: "NetSpec"):
        super().__init__(channels)
        self.aux_bn = nn.ModuleList(Statistics(channels) for _ in range(spec.domains - 1))
        self.eps, self.momentum, self.state = spec.bn_eps, spec.bn_momentum, spec.state
        self.frozen = False  # normalises by the running statistics and never moves them

    def domain(self, index: int) -> Statistics:
        return self if index == 0 else self.aux_bn[index - 1]

    def forward(self, x):
        state = self.state
        parts = x.split([count for count, _ in state.segments])
        out = []
        for part, (_, index) in zip(parts, state.segments):
            d = self.domain(index)
            # Without running tensors F.batch_norm uses batch statistics and updates nothing.
            training = state.training and not self.frozen
            keep = state.update or not training
            mean, var = (d.running_mean, d.running_var) if keep else (None, None)
            out.append(F.batch_norm(part, mean, var, d.weight, d.bias, training, self.momentum, self.eps))
        return torch.cat(out)


@dataclass
class NetSpec:
    arch: str
    classes: int
    width: float = 1.0
    depth: float = 1.0
    stem_stride: int = 2
    domains: int = 1
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1
    same: bool = False  # TensorFlow's SAME padding instead of k // 2
    state: Pass = field(default_factory=Pass)


class PaddedConv(nn.Conv2d):
    """Convolution without bias, padded by k // 2, or by SAME: there the odd row and column go to the bottom and the right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, spec: NetSpec, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, 0 if spec.same else kernel // 2, groups=groups, bias=False)
        self.same = spec.same

    def forward(self, x):
        if not self.same:
            return super().forward(x)
        pads = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, 1, self.groups)


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, inner: int, act=F.silu, gate=torch.sigmoid):
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, inner, 1)
        self.conv_expand = nn.Conv2d(inner, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x):
        gate = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.conv_expand(self.act(self.conv_reduce(gate))))


class DepthwiseSeparable(nn.Module):
    """The MBConv block of expansion 1. `se` is its squeeze-and-excitation, or nothing."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, spec: NetSpec, act, se: nn.Module):
        super().__init__()
        self.act = act
        self.conv_dw = PaddedConv(inputs, inputs, kernel, stride, spec, groups=inputs)
        self.bn1 = SplitBatchNorm(inputs, spec)
        self.se = se
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = SplitBatchNorm(outputs, spec)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.se(self.act(self.bn1(self.conv_dw(x))))
        y = self.bn2(self.conv_pw(y))
        return x + y if self.skip else y


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, kernel: int, stride: int, spec: NetSpec, act, se: nn.Module):
        super().__init__()
        self.act = act
        self.conv_pw = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = SplitBatchNorm(inner, spec)
        self.conv_dw = PaddedConv(inner, inner, kernel, stride, spec, groups=inner)
        self.bn2 = SplitBatchNorm(inner, spec)
        self.se = se
        self.conv_pwl = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = SplitBatchNorm(outputs, spec)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.act(self.bn1(self.conv_pw(x)))
        y = self.se(self.act(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y))
        return x + y if self.skip else y


class Net(nn.Module):
    """`net(x, segments)` gives logits; subclasses give the activated maps that feed the pooling and name their last layer."""

    head_name = "classifier"

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec

    @property
    def head(self) -> nn.Linear:
        return getattr(self, self.head_name)

    def stage(self, name: str) -> int:
        """The stage of a parameter or module, from 0 at the stem; the last is the classifier's."""
        first, *rest = name.split(".")
        if first == "blocks":
            return 1 + int(rest[0])
        if first.startswith("layer"):
            return int(first.removeprefix("layer"))
        if first == self.head_name:
            return self.stages - 1
        return 0 if first in ("conv_stem", "conv1", "bn1") else self.stages - 2

    @property
    def stages(self) -> int:
        if hasattr(self, "blocks"):
            return len(self.blocks) + 3
        return 6

    def freeze(self, stages: int, statistics: bool, all_statistics: bool = False) -> None:
        """Leaves that many stages from the input as they are, their running statistics too if `statistics`, those of
        all stages if `all_statistics`."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(self.stage(name) >= stages)
        for name, module in self.named_modules():
            if isinstance(module, SplitBatchNorm):
                module.frozen = all_statistics or (statistics and self.stage(name) < stages)

    def forward(self, x, segments, training: bool = False, update: bool = False):
        return self.logits(self.maps(x, segments, training, update))

    def logits(self, features):
        """The logits of maps that feed the pooling."""
        return self.head(features.mean((2, 3)))

    def maps(self, x, segments, training: bool = False, update: bool = False):
        state = self.spec.state
        state.segments, state.training, state.update = list(segments), training, update
        return self.features(x)


# repeats, kernel, stride of the first block, expansion, output channels
EFFICIENTNET_STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


class EfficientNet(Net):
    """Lite nets have ReLU6, no squeeze-and-excitation, and ends that are not scaled."""

    def __init__(self, spec: NetSpec, width: float, depth: float, lite: bool):
        super().__init__(spec)
        self.act = F.relu6 if lite else F.silu
        channels = 32 if lite else round_channels(32 * width)
        self.conv_stem = PaddedConv(3, channels, 3, spec.stem_stride, spec)
        self.bn1 = SplitBatchNorm(channels, spec)
        stages = []
        for number, (repeats, kernel, stride, expansion, out) in enumerate(EFFICIENTNET_STAGES):
            outputs, blocks = round_channels(out * width), []
            fixed = lite and number in (0, len(EFFICIENTNET_STAGES) - 1)
            for index in range(repeats if fixed else round_repeats(repeats * depth)):
                step, inner = stride if index == 0 else 1, channels * expansion
                se = nn.Identity() if lite else SqueezeExcite(inner, round(channels / 4))
                if expansion == 1:
                    blocks.append(DepthwiseSeparable(channels, outputs, kernel, step, spec, self.act, se))
                else:
                    blocks.append(InvertedResidual(channels, inner, outputs, kernel, step, spec, self.act, se))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        head = 1280 if lite else round_channels(1280 * width)
        self.conv_head = nn.Conv2d(channels, head, 1, bias=False)
        self.bn2 = SplitBatchNorm(head, spec)
        self.classifier = nn.Linear(head, spec.classes)

    def features(self, x):
        x = self.blocks(self.act(self.bn1(self.conv_stem(x))))
        return self.act(self.bn2(self.conv_head(x)))


RELU, HARD_SWISH = F.relu, F.hardswish
# stages of rows: repeats, kernel, stride of the first block, expansion, output channels, squeeze-and-excitation, activation
MOBILENETV3_LARGE = [
    [(1, 3, 1, 1, 16, False, RELU)],
    [(1, 3, 2, 4, 24, False, RELU), (1, 3, 1, 3, 24, False, RELU)],
    [(3, 5, 2, 3, 40, True, RELU)],
    [(1, 3, 2, 6, 80, False, HARD_SWISH), (1, 3, 1, 2.5, 80, False, HARD_SWISH), (2, 3, 1, 2.3, 80, False, HARD_SWISH)],
    [(2, 3, 1, 6, 112, True, HARD_SWISH)],
    [(3, 5, 2, 6, 160, True, HARD_SWISH)],
]
MOBILENETV3_SMALL = [
    [(1, 3, 2, 1, 16, True, RELU)],
    [(1, 3, 2, 4.5, 24, False, RELU), (1, 3, 1, 3.67, 24, False, RELU)],
    [(1, 5, 2, 4, 40, True, HARD_SWISH), (2, 5, 1, 6, 40, True, HARD_SWISH)],
    [(2, 5, 1, 3, 48, True, HARD_SWISH)],
    [(3, 5, 2, 6, 96, True, HARD_SWISH)],
]
MOBILENETS = {  # stages, channels before the pooling and behind the dense layer after it
    "mobilenetv3_large_100": (MOBILENETV3_LARGE, 960, 1280),
    "mobilenetv3_small_100": (MOBILENETV3_SMALL, 576, 1024),
}


def share_repeats(repeats: list, depth: float) -> list:
    """The sum times `depth`, rounded up, and shared out from the last row to the first."""
    left, scaled_left, out = sum(repeats), round_repeats(sum(repeats) * depth), []
    for count in reversed(repeats):
        out.append(max(1, round(count / left * scaled_left)))
        left, scaled_left = left - count, scaled_left - out[-1]
    return out[::-1]


class ConvBnAct(nn.Module):
    def __init__(self, inputs: int, outputs: int, spec: NetSpec):
        super().__init__()
        self.conv, self.bn1 = nn.Conv2d(inputs, outputs, 1, bias=False), SplitBatchNorm(outputs, spec)

    def forward(self, x):
        return F.hardswish(self.bn1(self.conv(x)))


class MobileNetV3(Net):
    def __init__(self, spec: NetSpec, table: list, features: int, hidden: int):
        super().__init__(spec)
        channels = 16 if spec.width < 0.75 else round_channels(16 * spec.width)
        self.conv_stem = PaddedConv(3, channels, 3, spec.stem_stride, spec)
        self.bn1 = SplitBatchNorm(channels, spec)
        stages = []
        for rows in table:
            blocks = []
            for row, repeats in zip(rows, share_repeats([r[0] for r in rows], spec.depth)):
                _, kernel, stride, expansion, out, excites, act = row
                outputs = round_channels(out * spec.width)
                for index in range(repeats):
                    step, inner = stride if index == 0 else 1, round_channels(channels * expansion)
                    se = SqueezeExcite(inner, round_channels(inner * 0.25), F.relu, F.hardsigmoid) if excites else nn.Identity()
                    if expansion == 1:
                        blocks.append(DepthwiseSeparable(channels, outputs, kernel, step, spec, act, se))
                    else:
                        blocks.append(InvertedResidual(channels, inner, outputs, kernel, step, spec, act, se))
                    channels = outputs
            stages.append(nn.Sequential(*blocks))
        last = round_channels(features * spec.width)
        stages.append(nn.Sequential(ConvBnAct(channels, last, spec)))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(last, hidden, 1)
        self.classifier = nn.Linear(hidden, spec.classes)

    def features(self, x):
        return self.blocks(F.hardswish(self.bn1(self.conv_stem(x))))

    def logits(self, features):
        return self.head(F.hardswish(self.conv_head(features.mean((2, 3), keepdim=True))).flatten(1))


def conv3(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def conv1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, outputs: int, stride: int, spec: NetSpec):
        super().__init__()
        self.conv1, self.bn1 = conv3(inputs, outputs, stride), SplitBatchNorm(outputs, spec)
        self.conv2, self.bn2 = conv3(outputs, outputs, 1), SplitBatchNorm(outputs, spec)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv1(inputs, outputs, stride), SplitBatchNorm(outputs, spec))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """The stride is in the 3x3 convolution."""

    expansion = 4

    def __init__(self, inputs: int, inner: int, stride: int, spec: NetSpec):
        super().__init__()
        outputs = self.expansion * inner
        self.conv1, self.bn1 = conv1(inputs, inner), SplitBatchNorm(inner, spec)
        self.conv2, self.bn2 = conv3(inner, inner, stride), SplitBatchNorm(inner, spec)
        self.conv3, self.bn3 = conv1(inner, outputs), SplitBatchNorm(outputs, spec)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv1(inputs, outputs, stride), SplitBatchNorm(outputs, spec))

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class PreActBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, outputs: int, stride: int, spec: NetSpec):
        super().__init__()
        self.bn1, self.conv1 = SplitBatchNorm(inputs, spec), conv3(inputs, outputs, stride)
        self.bn2, self.conv2 = SplitBatchNorm(outputs, spec), conv3(outputs, outputs, 1)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv1(inputs, outputs, stride))

    def forward(self, x):
        a = F.relu(self.bn1(x))
        # The convolution shortcut sees the activated tensor, the identity shortcut the raw one.
        s = x if self.shortcut is None else self.shortcut(a)
        return s + self.conv2(F.relu(self.bn2(self.conv1(a))))


class PreActBottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs: int, inner: int, stride: int, spec: NetSpec):
        super().__init__()
        outputs = self.expansion * inner
        self.bn1, self.conv1 = SplitBatchNorm(inputs, spec), conv1(inputs, inner)
        self.bn2, self.conv2 = SplitBatchNorm(inner, spec), conv3(inner, inner, stride)
        self.bn3, self.conv3 = SplitBatchNorm(inner, spec), conv1(inner, outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv1(inputs, outputs, stride))

    def forward(self, x):
        a = F.relu(self.bn1(x))
        s = x if self.shortcut is None else self.shortcut(a)
        y = self.conv2(F.relu(self.bn2(self.conv1(a))))
        return s + self.conv3(F.relu(self.bn3(y)))


RESNET_WIDTHS = [64, 128, 256, 512]
RESNET_BLOCKS = {
    "18": [2, 2, 2, 2],
    "34": [3, 4, 6, 3],
    "50": [3, 4, 6, 3],
    "101": [3, 4, 23, 3],
    "152": [3, 8, 36, 3],
    "200": [3, 24, 36, 3],
}
BASIC = {"18", "34"}


def add_stages(net: nn.Module, block, blocks: list, channels: int, spec: NetSpec) -> int:
    """Puts layer1 to layer4 on `net`; returns the channels that leave the last. Bottlenecks round their inner width, then widen it."""
    for stage, (count, base) in enumerate(zip(blocks, RESNET_WIDTHS)):
        inner, layers = round_channels(base * spec.width), []
        for index in range(round_repeats(count * spec.depth)):
            layers.append(block(channels, inner, 2 if stage > 0 and index == 0 else 1, spec))
            channels = block.expansion * inner
        setattr(net, f"layer{stage + 1}", nn.Sequential(*layers))
    return channels


class ResNet(Net):
    head_name = "fc"

    def __init__(self, spec: NetSpec, block, blocks: list):
        super().__init__(spec)
        channels = round_channels(64 * spec.width)
        self.conv1 = nn.Conv2d(3, channels, 7, spec.stem_stride, 3, bias=False)
        self.bn1 = SplitBatchNorm(channels, spec)
        channels = add_stages(self, block, blocks, channels, spec)
        self.fc = nn.Linear(channels, spec.classes)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class PreActResNet(Net):
    head_name = "linear"

    def __init__(self, spec: NetSpec, block, blocks: list):
        super().__init__(spec)
        channels = round_channels(64 * spec.width)
        self.conv1 = conv3(3, channels, 1)
        channels = add_stages(self, block, blocks, channels, spec)
        self.bn = SplitBatchNorm(channels, spec)
        self.linear = nn.Linear(channels, spec.classes)

    def features(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        return F.relu(self.bn(x))


EFFICIENTNETS = {  # width, depth
    "efficientnet_b0": (1.0, 1.0),
    "efficientnet_b1": (1.0, 1.1),
    "efficientnet_b2": (1.1, 1.2),
    "efficientnet_b3": (1.2, 1.4),
    "efficientnet_b4": (1.4, 1.8),
    "efficientnet_b5": (1.6, 2.2),
    "efficientnet_b6": (1.8, 2.6),
    "efficientnet_b7": (2.0, 3.1),
    "efficientnet_b8": (2.2, 3.6),
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
    "efficientnet_lite3": (1.2, 1.4),
    "efficientnet_lite4": (1.4, 1.8),
}


def build(spec: NetSpec) -> Net:
    """The net of `spec`, in PyTorch's default initialisation; weights come from a file or from `random_weights`."""
    scales = EFFICIENTNETS.get(spec.arch.removeprefix("tf_"))
    if scales:
        spec.same = spec.arch.startswith("tf_")
        # timm's own nets keep PyTorch's constants.
        spec.bn_eps, spec.bn_momentum = (1e-3, 0.01) if spec.same else (1e-5, 0.1)
        return EfficientNet(spec, scales[0] * spec.width, scales[1] * spec.depth, "lite" in spec.arch)
    if spec.arch in MOBILENETS:
        spec.bn_eps, spec.bn_momentum = 1e-5, 0.1
        return MobileNetV3(spec, *MOBILENETS[spec.arch])
    family, _, size = spec.arch.rpartition("resnet")
    if family in ("", "preact_") and size in RESNET_BLOCKS:
        spec.bn_eps, spec.bn_momentum = 1e-5, 0.1
        blocks = (PreActBlock, PreActBottleneck) if family else (BasicBlock, Bottleneck)
        return (PreActResNet if family else ResNet)(spec, blocks[size not in BASIC], RESNET_BLOCKS[size])
    raise ValueError(f"unknown architecture {spec.arch!r}")


def load_weights(net: Net, tensors: dict) -> None:
    """As `run.init` does: names are checked; missing auxiliary tensors copy main's, surplus ones are ignored."""
    wanted, state = net.state_dict(), {}
    for name, value in wanted.items():
        main = main_name(name)
        source = tensors.get(name, tensors.get(main))
        if source is None:
            raise ValueError(f"the weights lack {name}")
        if source.shape != value.shape:
            raise ValueError(f"{name} is {list(source.shape)}, expected {list(value.shape)}")
        state[name] = source.to(value.dtype)
    surplus = [n for n in tensors if n not in wanted and main_name(n) == n and not n.endswith("num_batches_tracked")]
    surplus = [n for n in surplus if not n.startswith(("ema.", "optimizer.", "loop."))]
    if surplus:
        raise ValueError(f"the weights hold {surplus[0]}, which the net has not")
    net.load_state_dict(state, strict=True)


def main_name(name: str) -> str:
    """X.aux_bn.K.weight -> X.weight; other names as they are."""
    head, sep, tail = name.partition(".aux_bn.")
    return f"{head}.{tail.split('.', 1)[1]}" if sep else name


def kind_of(net: Net) -> dict:
    """Parameter name -> `weight`, `bias` (SE and classifier) or `bn` (gamma and beta of every domain)."""
    kinds = {}
    for prefix, module in net.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            kind = "bn" if isinstance(module, Statistics) else name
            kinds[f"{prefix}.{name}"] = kind
    return kinds


def class_map(net: Net, x, domain: int, label: int, grad: bool):
    """CAM, or Grad-CAM, of one image [1,3,S,S] of normalised input: [S,S] in 0..1.

    Where a dense layer lies between pooling and classifier, CAM takes the gradient in place of the classifier's weights.
    """
    features = net.maps(x, [(1, domain)])
    if grad or isinstance(net, MobileNetV3):
        features = features.detach().requires_grad_(True)
        score = net.logits(features)[0, label]
        weights = torch.autograd.grad(score, features)[0].mean((2, 3))[0]
    else:
        weights = net.head.weight[label]
    with torch.no_grad():
        heat = (features[0] * weights[:, None, None]).sum(0)
        if grad:
            heat = F.relu(heat)
        heat = F.interpolate(heat[None, None], size=x.shape[2:], mode="bilinear", align_corners=False)[0, 0]
        low, high = heat.min(), heat.max()
        return (heat - low) / (high - low) if high > low else torch.zeros_like(heat)
