#!/usr/bin/python3
"""Writes what real PyTorch draws, shuffles and learns to test/fixtures/, for our tests to compare with.

Needs PyTorch and the FashionMNIST files (on Debian: python3-torch, dataset-fashion-mnist); knows nothing of Heddle.
Usage: scripts/torch-fixtures.py [random] [tutorial]   (no argument: both; tutorial takes about two minutes)
"""

import gzip
import hashlib
import json
import os
import platform
import struct
import subprocess
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FIXTURES = os.path.join(ROOT, "test", "fixtures")
DATA = os.environ.get("FASHION_MNIST_DIR") or "/usr/share/datasets/fashion-mnist"

torch.use_deterministic_algorithms(True)


def made_by():
    return {
        "script": "scripts/torch-fixtures.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def sha256(tensor):
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()


def tutorial_model():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def int64_draw(generator=None):
    return str(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


def draws():
    """First numbers of a generator: raw 32-bit draws (as the low 32 bits that int32's random_ keeps), int64, floats."""
    rows = []
    for seed in [0, 1, 42, 5489, 2**31, 2**32 - 1, 2**32 + 7, 2**53 - 1, 2**64 - 1, -1, -5, 67280421310721]:
        torch.manual_seed(seed)
        # Full-range random_ of int32 keeps 31 bits of one 32-bit draw.
        draws31 = [torch.empty((), dtype=torch.int32).random_().item() for _ in range(4)]
        torch.manual_seed(seed)
        int64 = [int64_draw() for _ in range(3)]
        torch.manual_seed(seed)
        rand = torch.rand(1000)
        rows.append(
            {
                "seed": str(seed),
                "draws31": draws31,
                "int64": int64,
                "rand": rand[:4].tolist(),
                "rand1000": sha256(rand),
                "next31": torch.empty((), dtype=torch.int32).random_().item(),
            }
        )
    return rows


def uniforms():
    """uniform_ over ranges, the last ones chosen so that rounding through float64 twice would show."""
    rows = []
    ranges = [(-1.0, 1.0), (-0.05, 0.05), (0.1, 0.3), (1.0, 1.001), (1e-30, 1.5), (-1e-30, 1.5), (1e-9, 3.0), (1000.0, 1000.1), (-7.0, 1e8)]
    for low, high in ranges:
        torch.manual_seed(7)
        values = torch.empty(200000).uniform_(low, high)
        rows.append({"seed": 7, "from": low, "to": high, "count": 200000, "first": values[:3].tolist(), "sha256": sha256(values)})
    return rows


def inits():
    rows = []
    for seed in [0, 1, 42]:
        torch.manual_seed(seed)
        parameters = []
        for name, value in tutorial_model().named_parameters():
            flat = value.detach().flatten()
            parameters.append(
                {
                    "name": name,
                    "shape": list(value.shape),
                    "sha256": sha256(value),
                    "first": flat[:3].tolist(),
                    "last": flat[-3:].tolist(),
                    "sum": flat.double().sum().item(),
                }
            )
        rows.append({"seed": seed, "parameters": parameters})
    # Awkward widths: the bounds are computed in float64 and rounded once.
    odd = []
    for fan_in, fan_out in [(1, 1), (2, 3), (3, 5), (7, 2), (10, 10), (63, 65), (100, 17), (129, 31), (1000, 3)]:
        torch.manual_seed(3)
        layer = nn.Linear(fan_in, fan_out)
        odd.append({"in": fan_in, "out": fan_out, "weight": sha256(layer.weight), "bias": sha256(layer.bias)})
    return {"tutorial": rows, "odd": {"seed": 3, "layers": odd}}


def permutations():
    rows = []
    for n in [0, 1, 2, 3, 10, 33, 1000, 60000]:
        torch.manual_seed(5)
        order = torch.randperm(n)
        row = {"seed": 5, "n": n, "int32": sha256(order.int()), "next31": torch.empty((), dtype=torch.int32).random_().item()}
        if n <= 33:
            row["order"] = order.tolist()
        rows.append(row)
    return rows


def loader_orders():
    """Whole little training runs: a model is made, then a shuffled loader and an unshuffled one take turns."""

    def rows_of(batches):
        return [batch[0].tolist() for batch in batches]

    def run(seed, n, batch_size, drop_last, own_generator, epochs=3):
        torch.manual_seed(seed)
        nn.Linear(5, 4)
        data = TensorDataset(torch.arange(n))
        generator = None
        if own_generator:
            generator = torch.Generator()
            generator.manual_seed(seed + 100)
        train = DataLoader(data, batch_size=batch_size, shuffle=True, drop_last=drop_last, generator=generator)
        test = DataLoader(TensorDataset(torch.arange(7)), batch_size=3)
        orders = []
        for _ in range(epochs):
            orders.append(rows_of(train))
            rows_of(test)
        return {
            "seed": seed,
            "n": n,
            "batchSize": batch_size,
            "dropLast": drop_last,
            "ownGenerator": seed + 100 if own_generator else None,
            "epochs": orders,
            "nextDefault": int64_draw(),
            "nextOwn": int64_draw(generator) if own_generator else None,
        }

    cases = [run(0, 10, 4, False, False), run(0, 10, 4, True, False), run(1, 12, 4, False, False)]
    cases += [run(2, 10, 4, False, True), run(3, 10, 4, True, True), run(4, 12, 4, False, True), run(5, 1, 4, False, False)]

    torch.manual_seed(0)
    tutorial_model()
    large = DataLoader(TensorDataset(torch.arange(60000)), batch_size=64, shuffle=True)
    small = DataLoader(TensorDataset(torch.arange(10000)), batch_size=64)
    epochs = []
    for _ in range(2):
        order = torch.cat([batch[0] for batch in large])
        epochs.append({"first": order[:5].tolist(), "int32": sha256(order.int())})
        for _batch in small:
            pass
    return {"cases": cases, "tutorial": {"seed": 0, "n": 60000, "testN": 10000, "batchSize": 64, "epochs": epochs}}


def read_idx(name):
    with gzip.open(os.path.join(DATA, name + ".gz")) as file:
        raw = file.read()
    dims = raw[3]
    shape = struct.unpack(f">{dims}I", raw[4 : 4 + 4 * dims])
    return torch.frombuffer(bytearray(raw[4 + 4 * dims :]), dtype=torch.uint8).reshape(shape)


def tutorial_data(split):
    # ToTensor divides by 255; the tutorial's loaders are not shuffled.
    images = read_idx(f"{split}-images-idx3-ubyte").float().div(255).unsqueeze(1)
    return images, read_idx(f"{split}-labels-idx1-ubyte").long()


def learn(seed, epochs, train, test):
    torch.manual_seed(seed)
    model = tutorial_model()
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses, results = [], []
    for epoch in range(epochs):
        model.train()
        for batch, (x, y) in enumerate(zip(train[0].split(64), train[1].split(64))):
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if epoch == 0 and batch % 100 == 0:
                losses.append({"batch": batch, "loss": loss.item()})
        model.eval()
        total, correct, batches = 0.0, 0.0, 0
        with torch.no_grad():
            for x, y in zip(test[0].split(64), test[1].split(64)):
                prediction = model(x)
                total += loss_of(prediction, y).item()
                correct += (prediction.argmax(1) == y).float().sum().item()
                batches += 1
        results.append({"epoch": epoch + 1, "accuracy": correct / len(test[0]), "loss": total / batches})
        print(f"seed {seed} epoch {epoch + 1}: {results[-1]}", file=sys.stderr)
    return {"seed": seed, "losses": losses, "epochs": results}


def write(name, value):
    os.makedirs(FIXTURES, exist_ok=True)
    with open(os.path.join(FIXTURES, name), "w") as file:
        json.dump({"madeBy": made_by(), **value}, file, indent=1)
        file.write("\n")


def main():
    wanted = sys.argv[1:] or ["random", "tutorial"]
    if "random" in wanted:
        write("random.json", {"draws": draws(), "uniform": uniforms()})
        write("init.json", inits())
        write("order.json", {"permutations": permutations(), "loaders": loader_orders()})
    if "tutorial" in wanted:
        started = time.time()
        train, test = tutorial_data("train"), tutorial_data("t10k")
        about = "784-512-512-10, ReLU, cross-entropy, SGD lr 1e-3, batch 64 in file order, FashionMNIST"
        runs = [learn(0, 10, train, test), learn(1, 1, train, test)]
        write("tutorial.json", {"about": about, "runs": runs})
        print(f"{time.time() - started:.0f} s", file=sys.stderr)
    # The repository's formatter has its own idea of JSON; without it only the check complains.
    subprocess.run(["npx", "biome", "format", "--write", "test/fixtures"], cwd=ROOT, check=False)


main()
