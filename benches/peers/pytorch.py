#!/usr/bin/env python3
"""Times the same training step in PyTorch that `dualprop bench` times, as one would write it there.

    pytorch.py --arch tf_efficientnet_b0 --size 64 --batch 16 --method advprop [--device cuda] [--mode fp32]

Networks are timm's; each batch norm becomes one per domain. AdvProp attacks through the auxiliary norms with batch statistics that do
not move, then passes the clean and the adversarial images one after the other and updates once with timm's RMSprop in TensorFlow's form.
Prints one JSON object: images_per_s, step_ms (median), attack_ms.

Modes: fp32 (TF32 off), tf32, amp (float16 autocast with a gradient scaler), each channels-last with --channels-last and compiled with
--compile. Random images and labels, 1000 classes, no data loading.
"""

import argparse
import json
import statistics
import time

import timm
import torch
import torch.nn.functional as F
from timm.optim import RMSpropTF
from torch import nn

EPSILON, STEP = 1.0, 1.0
CLASSES = 1000


class DomainNorm(nn.Module):
    """One batch norm per domain; `domain` is set on all of them before a pass."""

    def __init__(self, norm: nn.BatchNorm2d, domains: int):
        super().__init__()
        copies = [type(norm)(norm.num_features, norm.eps, norm.momentum) for _ in range(domains - 1)]
        self.norms = nn.ModuleList([norm, *copies])
        self.domain, self.frozen = 0, False
        # timm's own norms carry their activation.
        self.act = getattr(norm, "act", None)

    def forward(self, x):
        norm = self.norms[self.domain]
        mean, var = (None, None) if self.frozen else (norm.running_mean, norm.running_var)
        momentum = 0.0 if self.frozen else norm.momentum
        y = F.batch_norm(x, mean, var, norm.weight, norm.bias, True, momentum, norm.eps)
        return self.act(y) if self.act is not None else y


def with_domains(module: nn.Module, domains: int) -> list:
    """Replaces every batch norm; returns the new ones."""
    made = []
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            new = DomainNorm(child, domains)
            setattr(module, name, new)
            made.append(new)
        else:
            made += with_domains(child, domains)
    return made


class Step:
    def __init__(self, args):
        self.args, device = args, args.device
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.mode == "tf32"
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(0)
        self.domains = 1 if args.method == "vanilla" else 2
        net = timm.create_model(args.arch, num_classes=CLASSES, drop_rate=0.2, drop_path_rate=0.2)
        self.norms = with_domains(net, self.domains)
        layout = torch.channels_last if args.channels_last else torch.contiguous_format
        self.net = net.to(device, memory_format=layout).train()
        self.run = torch.compile(self.net) if args.compile else self.net
        self.optimizer = RMSpropTF(self.net.parameters(), lr=1e-4, alpha=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5)
        self.scaler = torch.amp.GradScaler(device.split(":")[0], enabled=args.mode == "amp")
        shape = (args.batch, 3, args.size, args.size)
        self.pixels = (torch.rand(shape, device=device) * 255).to(memory_format=layout)
        self.labels = torch.randint(0, CLASSES, (args.batch,), device=device)
        self.attack_s = 0.0

    def synchronize(self):
        if self.args.device.startswith("cuda"):
            torch.cuda.synchronize()

    def loss(self, pixels, domain: int, frozen: bool = False):
        for norm in self.norms:
            norm.domain, norm.frozen = domain, frozen
        with torch.autocast(self.args.device.split(":")[0], torch.float16, enabled=self.args.mode == "amp"):
            return F.cross_entropy(self.run(pixels / 127.5 - 1), self.labels, label_smoothing=0.1)

    def attack(self):
        for parameter in self.net.parameters():
            parameter.requires_grad_(False)
        x = (self.pixels + EPSILON * (2 * torch.rand_like(self.pixels) - 1)).clamp(0, 255)
        for _ in range(self.args.iterations):
            x.requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.scaler.scale(self.loss(x, 1, frozen=True)), x)
            x = x.detach() + STEP * gradient.sign()
            x = torch.minimum(torch.maximum(x, self.pixels - EPSILON), self.pixels + EPSILON).clamp(0, 255)
        for parameter in self.net.parameters():
            parameter.requires_grad_(True)
        return x

    def __call__(self):
        self.optimizer.zero_grad(set_to_none=True)
        adversarial = None
        if self.args.method == "advprop":
            self.synchronize()
            begun = time.perf_counter()
            adversarial = self.attack()
            self.synchronize()
            self.attack_s = time.perf_counter() - begun
        self.scaler.scale(self.loss(self.pixels, 0)).backward()
        if adversarial is not None:
            self.scaler.scale(self.loss(adversarial, 1)).backward()
        elif self.args.method == "mixprop":
            mixed = 0.3 * self.pixels + 0.7 * self.pixels.flip(0)
            self.scaler.scale(self.loss(mixed, 1)).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="tf_efficientnet_b0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--method", choices=["vanilla", "advprop", "mixprop"], default="advprop")
    parser.add_argument("--iterations", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--mode", choices=["fp32", "tf32", "amp"], default="fp32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    step = Step(args)
    for _ in range(3):
        step()
    times, attacks = [], []
    for _ in range(args.steps):
        step.synchronize()
        begun = time.perf_counter()
        step()
        step.synchronize()
        times.append(time.perf_counter() - begun)
        attacks.append(step.attack_s)
    median = statistics.median(times)
    device = torch.cuda.get_device_name() if args.device.startswith("cuda") else f"CPU, {torch.get_num_threads()} threads"
    print(json.dumps(dict(
        program=f"PyTorch {torch.__version__}", device=device, mode=args.mode, channels_last=args.channels_last, compiled=args.compile,
        arch=args.arch, size=args.size, batch=args.batch, method=args.method, images_per_s=args.batch / median, step_ms=1e3 * median,
        attack_ms=1e3 * statistics.median(attacks),
    )))  # fmt: skip


if __name__ == "__main__":
    main()
