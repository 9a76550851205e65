"""PyTorch's side of bench/train.ts: the same networks, losses and Adam (other random weights), eager, on the same cores.

    python bench/train.py SUBJECT BATCH SECONDS THREADS     SUBJECT: small, d, g, dg

`d` is ANCLaF's discriminator step, `g` the step of generator and combiner in one backward pass, `dg` one after the other.

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


class Combiner(nn.Module):
    """On Z and D's four probabilities."""

    def __init__(self):
        super().__init__()
        widths = [68, 64, 128, 256, 512, 1024]
        layers = [
            layer
            for cin, cout in zip(widths, widths[1:])
            for layer in (nn.Conv2d(cin, cout, 4, 2, 1), nn.LeakyReLU(0.01))
        ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(1024, 2)

    def forward(self, z, logits):
        planes = logits.softmax(1)[:, :, None, None].expand(-1, -1, *z.shape[2:])
        return self.head(self.features(torch.cat([z, planes], 1)).flatten(1))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            *step(3, 16, 7, 1, 3), *step(16, 32, 4, 2, 1), *step(32, 64, 4, 2, 1),
            Residual(), Residual(), Residual(False),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            Residual(), Residual(),
            *double(64, 32), *double(32, 16), nn.Conv2d(16, 3, 7, 1, 3, bias=False), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x):
        z = self.encoder(x)
        return z, self.decoder(z)


def affect_loss(predictions, labels, weights):
    """RMSE and the three correlations, for valence and arousal, each frame with its weight."""
    shares = weights / (weights.sum(0) + 1e-8)
    mean_p, mean_y = (predictions * shares).sum(0), (labels * shares).sum(0)
    p, y = predictions - mean_p, labels - mean_y
    covariance = (p * y * shares).sum(0)
    variance_p, variance_y = (p * p * shares).sum(0), (y * y * shares).sum(0)
    rmse = ((predictions - labels).square() * weights).mean(0).clamp_min(1e-12).sqrt()
    cor = covariance * (variance_p * variance_y + 1e-8).rsqrt()
    ccc = 2 * covariance / (variance_p + variance_y + (mean_p - mean_y).square() + 1e-8)
    icc = 2 * covariance / (variance_p + variance_y + 1e-8)
    return (rmse + (1 - cor) + (1 - ccc) + (1 - icc)).sum()


def small_step():
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


def anclaf_step():
    g, d, c = Generator(), Discriminator(), Combiner()
    critics = torch.optim.Adam(d.parameters(), lr=1e-4, betas=(0.5, 0.999))
    makers = torch.optim.Adam([*g.parameters(), *c.parameters()], lr=1e-4, betas=(0.5, 0.999))
    pictures = torch.randint(0, 256, (2, batch, 3, 128, 128), dtype=torch.uint8)
    truth, alpha = torch.arange(batch) % 4, torch.rand(batch, 1, 1, 1)
    labels, weights = torch.rand(batch, 2) * 2 - 1, torch.rand(batch, 2) + 0.5

    def run_d():
        clean, distorted = (x.float() / 127.5 - 1 for x in pictures)
        critics.zero_grad()
        d.requires_grad_(True)
        with torch.no_grad():
            fake = g(distorted)[1]
        mixed = (alpha * clean + (1 - alpha) * fake).requires_grad_()
        score, logits = d(torch.cat([clean, fake]))
        on_real, on_fake = score.chunk(2)
        slope = torch.autograd.grad(d(mixed)[0].sum(), mixed, create_graph=True)[0]
        penalty = ((slope.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()
        loss = on_fake.mean() - on_real.mean() + 10 * penalty + F.cross_entropy(logits[:batch], truth)
        loss.backward()
        critics.step()

    def run_g():
        clean, distorted = (x.float() / 127.5 - 1 for x in pictures)
        makers.zero_grad()
        d.requires_grad_(False)
        z, made = g(distorted)
        score, logits = d(made)
        affect = affect_loss(c(z, logits.detach()), labels, weights)
        likeness = (clean - made).abs().mean()
        (-score.mean() + 10 * likeness + F.cross_entropy(logits, truth) + affect).backward()
        makers.step()

    def run_both():
        run_d()
        run_g()

    return {"d": run_d, "g": run_g, "dg": run_both}[subject]


run = small_step() if subject == "small" else anclaf_step()
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
