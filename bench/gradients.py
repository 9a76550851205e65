"""PyTorch's side of bench/gradients.ts: one convolution, forward and both gradients, eager.

    python bench/gradients.py BATCH SECONDS THREADS NAME:IN:OUT:SIDE:KERNEL:STRIDE:PADDING:TRANSPOSED ...

Prints a line for each: name, fastest run in milliseconds by the clock and of CPU; and at the end PyTorch's version.
"""

import sys
import time

import torch

batch, seconds, threads = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(1)

for given in sys.argv[4:]:
    name, *numbers = given.split(":")
    cin, cout, side, kernel, stride, padding, transposed = map(int, numbers)
    kind = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    layer = kind(cin, cout, kernel, stride, padding, bias=False)
    x = torch.randn(batch, cin, side, side, requires_grad=True)
    dy = torch.randn_like(layer(x))
    for _ in range(5):
        torch.autograd.grad(layer(x), [x, layer.weight], dy)
    best = cpu = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start, used = time.perf_counter(), time.process_time()
        torch.autograd.grad(layer(x), [x, layer.weight], dy)
        best, cpu = min(best, time.perf_counter() - start), min(cpu, time.process_time() - used)
    print(name, f"{1000 * best:.2f} {1000 * cpu:.2f}")
print("torch", torch.__version__)
