"""PyTorch's side of bench/compile.ts: ANCLaF's G and D (random weights), eager, frames per second on the same cores.

    python bench/compile.py BATCH SECONDS THREADS
"""

import sys
import time

import torch
from torch import nn

batch, seconds, threads = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(1)


def step(cin, cout, kernel, stride, padding):
    return [nn.Conv2d(cin, cout, kernel, stride, padding, bias=False), nn.InstanceNorm2d(cout, affine=True), nn.ReLU()]


class Residual(nn.Module):
    def __init__(self, skip):
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            *step(64, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.InstanceNorm2d(64, affine=True)
        )

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


encoder = nn.Sequential(
    *step(3, 16, 7, 1, 3), *step(16, 32, 4, 2, 1), *step(32, 64, 4, 2, 1), Residual(True), Residual(True), Residual(False)
)


def double(cin, cout):
    return [nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False), nn.InstanceNorm2d(cout, affine=True), nn.ReLU()]


decoder = nn.Sequential(
    Residual(True), Residual(True), *double(64, 32), *double(32, 16), nn.Conv2d(16, 3, 7, 1, 3, bias=False), nn.Tanh()
)
widths = [3, 16, 32, 64, 128, 256, 512]
features = nn.Sequential(
    *[
        layer
        for cin, cout in zip(widths, widths[1:])
        for layer in (nn.Conv2d(cin, cout, 4, 2, 1), nn.LeakyReLU(0.01))
    ]
)
head = nn.Conv2d(512, 4, 2, bias=False)


def run(pixels):
    z = encoder(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1)
    q = torch.softmax(head(features(decoder(z))).flatten(1), 1)
    return torch.cat([z, q[:, :, None, None].expand(-1, -1, 32, 32)], 1), q


with torch.inference_mode():
    pixels = torch.randint(0, 256, (batch, 128, 128, 3), dtype=torch.uint8)
    for _ in range(2):
        run(pixels)
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(pixels)
        times.append(time.perf_counter() - start)
    print(batch / min(times), batch / sorted(times)[len(times) // 2], torch.__version__)
