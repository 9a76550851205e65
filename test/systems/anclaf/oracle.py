"""ANCLaF's G, D and frame combiner C in PyTorch, as the oracle of networks.test.ts.

Weights and images come from an integer hash that formula.ts computes too, so only outputs are stored.
Run from the repository root, with numpy and torch 2.13:  python test/systems/anclaf/oracle.py
It writes oracle.json beside itself: a tiny net whole, the paper's sizes as every STRIDE-th number.
"""
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

STRIDE = 97


def hashed(n, stream):
    """n numbers in [0, 1): murmur3's finaliser over a counter."""
    x = np.arange(n, dtype=np.uint64) * 0x9E3779B1 + stream * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> 13
    x = x * 0xC2B2AE35 & 0xFFFFFFFF
    x ^= x >> 16
    return x / 2**32


def conv_norm(a, b, k, s, p, conv=nn.Conv2d):
    return nn.ModuleDict({"conv": conv(a, b, k, s, p, bias=False), "norm": nn.InstanceNorm2d(b, affine=True)})


def body(c):
    return nn.ModuleDict({
        "conv1": nn.Conv2d(c, c, 3, 1, 1, bias=False), "norm1": nn.InstanceNorm2d(c, affine=True),
        "conv2": nn.Conv2d(c, c, 3, 1, 1, bias=False), "norm2": nn.InstanceNorm2d(c, affine=True),
    })


class Generator(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.e1, self.e2, self.e3 = conv_norm(3, w, 7, 1, 3), conv_norm(w, 2 * w, 4, 2, 1), conv_norm(2 * w, 4 * w, 4, 2, 1)
        self.r1, self.r2, self.r3, self.r4, self.r5 = (body(4 * w) for _ in range(5))
        self.d1 = conv_norm(4 * w, 2 * w, 4, 2, 1, nn.ConvTranspose2d)
        self.d2 = conv_norm(2 * w, w, 4, 2, 1, nn.ConvTranspose2d)
        self.d3 = nn.ModuleDict({"conv": nn.Conv2d(w, 3, 7, 1, 3, bias=False)})

    def forward(self, x):
        step = lambda m, x: torch.relu(m["norm"](m["conv"](x)))
        block = lambda m, x: m["norm2"](m["conv2"](torch.relu(m["norm1"](m["conv1"](x)))))
        for m in (self.e1, self.e2, self.e3):
            x = step(m, x)
        for m in (self.r1, self.r2):
            x = x + block(m, x)
        z = x = block(self.r3, x)
        for m in (self.r4, self.r5):
            x = x + block(m, x)
        for m in (self.d1, self.d2):
            x = step(m, x)
        return z, torch.tanh(self.d3["conv"](x))


class Discriminator(nn.Module):
    def __init__(self, w, depth, image):
        super().__init__()
        widths = [3] + [w * 2**i for i in range(depth)]
        self.depth = depth
        for i in range(depth):
            setattr(self, f"c{i + 1}", nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1))
        self.score = nn.Conv2d(widths[-1], 1, 3, 1, 1, bias=False)
        self.quadrant = nn.Conv2d(widths[-1], 4, image // 2**depth, bias=False)

    def forward(self, x):
        for i in range(self.depth):
            x = nn.functional.leaky_relu(getattr(self, f"c{i + 1}")(x), 0.01)
        return self.score(x), self.quadrant(x).flatten(1)


class Combiner(nn.Module):
    def __init__(self, w, channels, grid):
        super().__init__()
        self.depth = grid.bit_length() - 1
        widths = [channels] + [w * 2**i for i in range(self.depth)]
        for i in range(self.depth):
            setattr(self, f"c{i + 1}", nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1))
        self.head = nn.Linear(widths[-1], 2)

    def forward(self, x):
        for i in range(self.depth):
            x = nn.functional.leaky_relu(getattr(self, f"c{i + 1}")(x), 0.01)
        return x.flatten(1), self.head(x.flatten(1))


def build(sizes):
    """All three nets, with weights from the hash."""
    nets = nn.ModuleDict({
        "generator": Generator(sizes["generator"]),
        "discriminator": Discriminator(sizes["discriminator"], sizes["depth"], sizes["image"]),
        "combiner": Combiner(sizes["combiner"], 4 * sizes["generator"] + 4, sizes["image"] // 4),
    }).double()
    with torch.no_grad():
        for stream, (name, parameter) in enumerate(nets.named_parameters()):
            u = 2 * hashed(parameter.numel(), stream) - 1
            if parameter.dim() > 1:
                values = u * (6 / parameter[0].numel()) ** 0.5
            else:
                values = 0.5 * u + (1 if name.endswith("weight") else 0)
            parameter.copy_(torch.from_numpy(values).float().reshape(parameter.shape))
    return nets


def images(batch, side, stream=1000):
    """Bytes 0..255 from the hash, [batch, side, side, 3], as a network's input."""
    pixels = np.floor(256 * hashed(batch * side * side * 3, stream)).reshape(batch, side, side, 3)
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255 * 2 - 1)


def run(sizes, batch, stride):
    nets = build(sizes)
    with torch.no_grad():
        image = images(batch, sizes["image"])
        z, reconstruction = nets["generator"](image)
        score, logits = nets["discriminator"](reconstruction)
        q = logits.softmax(1)
        zq = torch.cat([z, q[:, :, None, None].expand(-1, -1, *z.shape[2:])], 1)
        feature, affect = nets["combiner"](zq)
    outputs = {"z": z, "reconstruction": reconstruction, "score": score, "logits": logits, "q": q}
    outputs |= {"feature": feature, "affect": affect}
    return {
        "sizes": sizes,
        "batch": batch,
        "stride": stride,
        "parameters": [[name, list(p.shape)] for name, p in nets.named_parameters()],
        "outputs": {
            name: {"shape": list(out.shape), "values": [float(f"{x:.7g}") for x in out.flatten()[::stride].tolist()]}
            for name, out in outputs.items()
        },
    }


if __name__ == "__main__":
    cases = {
        "tiny": run({"image": 16, "generator": 3, "discriminator": 5, "depth": 3, "combiner": 7}, 2, 1),
        "paper": run({"image": 128, "generator": 16, "discriminator": 16, "depth": 6, "combiner": 64}, 1, STRIDE),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
