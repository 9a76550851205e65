"""PyTorch's side of bench/lstm.ts: one training step of a sequence network, with Adam, eager, on the CPU.

    python bench/lstm.py lstm|s|sa BATCH STEPS THREADS [fused]

Prints the shortest step in ms, the mean CPU time of a step in ms, and PyTorch's version.
"""

import sys
import time

import torch
from torch import nn

kind, batch, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(1)
FRAMES, UNITS = 8, 512
features = 2048 if kind == "lstm" else 1024
x, labels = torch.randn(batch, FRAMES, features), torch.randn(batch, FRAMES, 2)
head = nn.Linear(UNITS, 2)

if kind == "lstm":
    net = nn.LSTM(features, UNITS, batch_first=True)

    def hidden():
        return net(x)[0]
else:
    net = nn.LSTMCell(features + 2 * UNITS, UNITS)
    score = nn.Linear(4 * UNITS, 1)

    def hidden():
        h, c = torch.zeros(batch, UNITS), torch.zeros(batch, UNITS)
        states, outputs = [], []
        for t in range(FRAMES):
            context = torch.zeros(batch, 2 * UNITS)
            if kind == "sa" and states:
                # The score of a state does not depend on the query: as in ours, the other half is left out.
                known = torch.stack(states, 1)
                a = torch.softmax(nn.functional.linear(known, score.weight[:, 2 * UNITS :]), 1)
                context = (a * known).sum(1)
            h, c = net(torch.cat([x[:, t], context], 1), (h, c))
            states.append(torch.cat([h, c], 1))
            outputs.append(h)
        return torch.stack(outputs, 1)


parameters = [*net.parameters(), *head.parameters(), *(score.parameters() if kind == "sa" else [])]
optimiser = torch.optim.Adam(parameters, lr=1e-4, betas=(0.5, 0.999), fused="fused" in sys.argv)


def step():
    optimiser.zero_grad()
    ((head(hidden()) - labels) ** 2).mean().backward()
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
