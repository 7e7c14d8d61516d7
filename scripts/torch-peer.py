"""The job of `heddle bench` in plain eager PyTorch, for `--peer torch`.

Stays alive and answers each line on stdin with one line of JSON on stdout:
  run N        N training steps          -> {"seconds": ...} for all of them
  gemm M N K   x [M, K] times W [N, K]^T -> {"seconds": ...} for one
Its argument is JSON: {"hidden": [...], "batch": B, "rows": R, "features": F, "classes": C, "threads": T or null,
"data": FILE}; the file holds R rows of F bytes, then R labels of one byte.
"""

import json
import sys
import time


def say(answer):
    print(json.dumps(answer), flush=True)


try:
    import torch
    from torch import nn
except ImportError as error:
    say({"error": f"cannot import torch: {error}"})
    sys.exit(1)

job = json.loads(sys.argv[1])
if job["threads"] is not None:
    torch.set_num_threads(job["threads"])
torch.manual_seed(0)

rows, features, batch = job["rows"], job["features"], job["batch"]
with open(job["data"], "rb") as file:
    data = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
images = data[: rows * features].reshape(rows, features).float() / 255
labels = data[rows * features :].long()
batches = [(images[i : i + batch], labels[i : i + batch]) for i in range(0, rows - batch + 1, batch)]

sizes = [features, *job["hidden"], job["classes"]]
layers = [nn.Flatten()]
for before, after in zip(sizes, sizes[1:]):
    layers += [nn.Linear(before, after), nn.ReLU()]
model = nn.Sequential(*layers[:-1])
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
position = 0


def run(steps):
    global position
    start = time.perf_counter()
    for _ in range(steps):
        x, y = batches[position % len(batches)]
        position += 1
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    loss.item()
    return time.perf_counter() - start


def gemm(m, n, k):
    x, weight = torch.rand(m, k), torch.rand(n, k)
    times = []
    with torch.no_grad():
        for _ in range(60):
            start = time.perf_counter()
            torch.matmul(x, weight.t())
            times.append(time.perf_counter() - start)
    return sorted(times[10:])[25]


def busy_threads():
    """Threads that a product of matrices keeps busy: a BLAS has threads of its own, which torch does not count."""
    x = torch.rand(1024, 1024)
    torch.matmul(x, x)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(10):
        torch.matmul(x, x)
    return max(1, round((time.process_time() - cpu) / (time.perf_counter() - start)))


say({"version": torch.__version__, "threads": job["threads"] or busy_threads()})
for line in sys.stdin:
    command, *numbers = line.split()
    seconds = {"run": run, "gemm": gemm}[command](*map(int, numbers))
    say({"seconds": seconds})
