"""PyTorch's side of bench/train-seq.ts: one training step of C-SA with the affect loss and Adam, eager, on the CPU.

    python bench/train-seq.py sa|zq BATCH STEPS THREADS

`sa` reads features [B, 8, 1024], `zq` latents [B, 8, 68, 32, 32] through the combiner's encoder. Prints the shortest step in
ms, the mean CPU time of a step in ms, and PyTorch's version.
"""

import sys
import time

import torch
from torch import nn

kind, batch, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(1)
FRAMES, UNITS, FEATURES = 8, 512, 1024
shape = (FEATURES,) if kind == "sa" else (68, 32, 32)
x, labels = torch.randn(batch, FRAMES, *shape), torch.rand(batch * FRAMES, 2) * 2 - 1
weights = torch.ones(batch * FRAMES, 2)
present = torch.ones(batch, FRAMES, dtype=torch.bool)

widths = [68, 64, 128, 256, 512, 1024]
layers = []
for before, after in zip(widths, widths[1:]):
    layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.01)]
encoder = nn.Sequential(*layers, nn.Flatten())
net = nn.LSTMCell(FEATURES + 2 * UNITS, UNITS)
score = nn.Linear(4 * UNITS, 1)
head = nn.Linear(UNITS, 2)


def affect():
    features = x if kind == "sa" else encoder(x.flatten(0, 1)).reshape(batch, FRAMES, FEATURES)
    h, c = torch.zeros(batch, UNITS), torch.zeros(batch, UNITS)
    states, outputs = [], []
    for t in range(FRAMES):
        context = torch.zeros(batch, 2 * UNITS)
        if states:
            # The score of a state does not depend on the query: as in ours, the other half is left out.
            known = torch.stack(states, 1)
            e = nn.functional.linear(known, score.weight[:, 2 * UNITS :])
            e = e.masked_fill(~present[:, :t, None], float("-inf"))
            context = (torch.softmax(e, 1) * known).sum(1)
        new_h, new_c = net(torch.cat([features[:, t], context], 1), (h, c))
        there = present[:, t, None]
        h, c = torch.where(there, new_h, h), torch.where(there, new_c, c)
        states.append(torch.cat([h, c], 1))
        outputs.append(h)
    return head(torch.stack(outputs, 1)).reshape(-1, 2)


def loss(p):
    shares = weights / weights.sum(0, keepdim=True)
    mean_p, mean_y = (p * shares).sum(0), (labels * shares).sum(0)
    dp, dy = p - mean_p, labels - mean_y
    cov = (dp * dy * shares).sum(0)
    vp, vy = (dp**2 * shares).sum(0), (dy**2 * shares).sum(0)
    rmse = ((p - labels) ** 2 * weights).mean(0).clamp_min(1e-12).sqrt()
    cor = cov * (vp * vy + 1e-8).rsqrt()
    ccc = 2 * cov / (vp + vy + (mean_p - mean_y) ** 2 + 1e-8)
    icc = 2 * cov / (vp + vy + 1e-8)
    return rmse.sum() + (1 - cor).sum() + (1 - ccc).sum() + (1 - icc).sum()


modules = [net, score, head] + ([encoder] if kind == "zq" else [])
parameters = [p for module in modules for p in module.parameters()]
optimiser = torch.optim.Adam(parameters, lr=1e-4, betas=(0.5, 0.999))


def step():
    optimiser.zero_grad()
    loss(affect()).backward()
    optimiser.step()


for _ in range(2):
    step()
times = []
cpu = time.process_time()
for _ in range(steps):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
cpu = (time.process_time() - cpu) / steps
print(min(times) * 1e3, cpu * 1e3, torch.__version__)
