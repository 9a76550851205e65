"""PyTorch's side of bench/train.ts: the same networks, losses and Adam (other random weights), eager, on the same cores.

    python bench/train.py SUBJECT BATCH SECONDS THREADS     SUBJECT: small, d, g

Prints the fastest step and the median, in milliseconds of wall time, the least CPU time of a step, and torch's version.
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

subject, batch, seconds, threads = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.set_flush_denormal(True)
torch.manual_seed(1)


def step(cin, cout, kernel, stride, padding):
    return [nn.Conv2d(cin, cout, kernel, stride, padding, bias=False), nn.InstanceNorm2d(cout, affine=True), nn.ReLU()]


def double(cin, cout):
    return [nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False), nn.InstanceNorm2d(cout, affine=True), nn.ReLU()]


class Residual(nn.Module):
    def __init__(self, skip=True):
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            *step(64, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.InstanceNorm2d(64, affine=True)
        )

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 16, 32, 64, 128, 256, 512]
        layers = [
            layer
            for cin, cout in zip(widths, widths[1:])
            for layer in (nn.Conv2d(cin, cout, 4, 2, 1), nn.LeakyReLU(0.01))
        ]
        self.features = nn.Sequential(*layers)
        self.score = nn.Conv2d(512, 1, 3, padding=1, bias=False)
        self.quadrant = nn.Conv2d(512, 4, 2, bias=False)

    def forward(self, x):
        features = self.features(x)
        return self.score(features), self.quadrant(features).flatten(1)


def training_step():
    if subject == "small":
        network = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.LeakyReLU(0.01),
            nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.LeakyReLU(0.01),
            nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip
        adam = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.999))
        image, truth = torch.randn(batch, 3, 32, 32), torch.arange(batch) % 10

        def run():
            adam.zero_grad()
            F.cross_entropy(network(image), truth).backward()
            adam.step()

        return run
    g = nn.Sequential(
        *step(3, 16, 7, 1, 3), *step(16, 32, 4, 2, 1), *step(32, 64, 4, 2, 1),
        Residual(), Residual(), Residual(False), Residual(), Residual(),
        *double(64, 32), *double(32, 16), nn.Conv2d(16, 3, 7, 1, 3, bias=False), nn.Tanh(),
    )  # fmt: skip
    d = Discriminator()
    part = d if subject == "d" else g
    adam = torch.optim.Adam(part.parameters(), lr=1e-4, betas=(0.5, 0.999))
    clean, distorted = torch.randn(2, batch, 3, 128, 128) * 0.5
    truth, alpha = torch.arange(batch) % 4, torch.rand(batch, 1, 1, 1)

    def run_d():
        adam.zero_grad()
        with torch.no_grad():
            fake = g(distorted)
        mixed = (alpha * clean + (1 - alpha) * fake).requires_grad_()
        score, logits = d(clean)
        slope = torch.autograd.grad(d(mixed)[0].sum(), mixed, create_graph=True)[0]
        penalty = ((slope.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()
        loss = d(fake)[0].mean() - score.mean() + 10 * penalty + F.cross_entropy(logits, truth)
        loss.backward()
        adam.step()

    def run_g():
        adam.zero_grad()
        made = g(distorted)
        for parameter in d.parameters():
            parameter.requires_grad_(False)
        score, logits = d(made)
        (-score.mean() + 10 * (clean - made).abs().mean() + F.cross_entropy(logits, truth)).backward()
        adam.step()

    return run_d if subject == "d" else run_g


run = training_step()
for _ in range(2):
    run()
times, work = [], []
end = time.perf_counter() + seconds
while time.perf_counter() < end or len(times) < 3:
    start, used = time.perf_counter(), time.process_time()
    run()
    times.append(1000 * (time.perf_counter() - start))
    work.append(1000 * (time.process_time() - used))
print(min(times), sorted(times)[len(times) // 2], min(work), torch.__version__)
