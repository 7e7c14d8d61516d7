#!/usr/bin/python3
"""Writes what real PyTorch draws, shuffles, computes and learns to test/fixtures/, for our tests to compare with.

Needs PyTorch, and for `tutorial` the FashionMNIST files (on Debian: python3-torch, libopenblas0-pthread,
dataset-fashion-mnist); knows nothing of Heddle.
Usage: scripts/torch-fixtures.py [random] [ops] [trajectories] [tutorial] [page] [NAME of torch_fixtures/NAME.py …]   (no argument:
all; tutorial and page take about two minutes each, the others seconds)

ops.json holds every op's inputs and results. Inputs are short decimals that both sides round to the same float32.
Results that float32 gives exactly, or with one rounding of a division, are PyTorch's float32 results. Where sums, exp
or log are involved, another float32 would differ by its own rounding and double the tolerance, so there the results are
PyTorch's float64 ones on the same float32 inputs; its float32 results are made too and must agree.

trajectories.json holds 20 steps of small networks: the losses and the last weights of PyTorch's float32 run, of the same
run in float64, and for each number a bound on how far any float32 run may be from the float64 one. See `roundoff_of`.
"""

import copy
import gzip
import importlib
import json
import math
import os
import struct
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torch_fixtures.common import ROOT, decimals, in_float64, sha256, shortest, ten_digits, write

DATA = os.environ.get("FASHION_MNIST_DIR") or "/usr/share/datasets/fashion-mnist"


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


def linear_case(generator, rows, inputs, outputs, relu=False, rectified=False, u8=False):
    """y = x·Wᵀ + b and its gradients for a given dy; x may be bytes or the output of a ReLU, y may be rectified."""
    if u8:
        x_written = torch.randint(0, 256, (rows * inputs,), generator=generator).tolist()
        x = torch.tensor(x_written, dtype=torch.uint8).reshape(rows, inputs)
    else:
        x_written, x = decimals((rows, inputs), -1, 1, generator)
    w_written, w = decimals((outputs, inputs), -1, 1, generator)
    b_written, b = decimals((outputs,), -1, 1, generator)
    dy_written, dy = decimals((rows, outputs), -1, 1, generator)

    def work(dtype):
        leaves = [x.to(dtype).div(255) if u8 else x.to(dtype), w.to(dtype), b.to(dtype)]
        for leaf in leaves:
            leaf.requires_grad_()
        z = F.linear(F.relu(leaves[0]) if rectified else leaves[0], leaves[1], leaves[2])
        assert not relu or z.abs().min() > 1e-4, "a pre-activation too close to the kink: draw others"
        y = F.relu(z) if relu else z
        y.backward(dy.to(dtype))
        return [y, *(leaf.grad for leaf in leaves)]

    y, dx, dw, db = in_float64(work)
    return {
        "rows": rows,
        "inputs": inputs,
        "outputs": outputs,
        "relu": relu,
        "rectified": rectified,
        "u8": u8,
        "x": x_written,
        "weight": w_written,
        "bias": b_written,
        "dy": dy_written,
        "y": y,
        "dx": dx,
        "dWeight": dw,
        "dBias": db,
    }


def loss_case(generator, name, logits, targets):
    """log_softmax with its gradient for a given dy, and cross-entropy: each row, their mean, the mean's gradient."""
    x = torch.tensor(logits, dtype=torch.float32)
    rows, columns = x.shape
    dy_written, dy = decimals((rows, columns), -1, 1, generator)
    target = torch.tensor(targets)

    def work(dtype):
        leaf = x.to(dtype).requires_grad_()
        y = F.log_softmax(leaf, 1)
        (dx,) = torch.autograd.grad(y, leaf, dy.to(dtype))
        row_loss = F.cross_entropy(leaf, target, reduction="none")
        loss = F.cross_entropy(leaf, target)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return [y, dx, row_loss, loss, gradient]

    y, dx, row_loss, loss, gradient = in_float64(work)
    return {
        "name": name,
        "rows": rows,
        "columns": columns,
        "logits": [value for row in logits for value in row],
        "targets": targets,
        "dy": dy_written,
        "logSoftmax": y,
        "dx": dx,
        "rowLoss": row_loss,
        "loss": loss,
        "gradient": gradient,
    }


def loss_cases(generator):
    def ordinary(rows, columns, magnitude):
        written, _ = decimals((rows, columns), -magnitude, magnitude, generator)
        logits = [written[i * columns : (i + 1) * columns] for i in range(rows)]
        targets = torch.randint(0, columns, (rows,), generator=generator).tolist()
        return loss_case(generator, f"[{rows}, {columns}], ±{magnitude}", logits, targets)

    large = [[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [9999.5, 1e4, 9999.0]]
    huge = [[1e30, 0.0, -1e30], [1e30, 0.0, -1e30], [-1e30, -1e30, 1e30], [1e30, 1e30, 1e30]]
    return [
        ordinary(1, 2, 1),
        ordinary(9, 5, 5),
        ordinary(17, 10, 20),
        ordinary(3, 33, 3),
        loss_case(generator, "±1e4", large, [0, 1, 2, 0]),
        loss_case(generator, "1e30", huge, [0, 1, 2, 1]),
        loss_case(generator, "all equal", [[3.0] * 7, [0.0] * 7, [-1e4] * 7], [2, 0, 6]),
        loss_case(generator, "one class", [[5.0], [-7.25], [1e30]], [0, 0, 0]),
    ]


def nll_case(generator, rows, columns):
    written, log_probability = decimals((rows, columns), -5, 0, generator)
    targets = torch.randint(0, columns, (rows,), generator=generator)

    def work(dtype):
        leaf = log_probability.to(dtype).requires_grad_()
        loss = F.nll_loss(leaf, targets)
        return [loss, *torch.autograd.grad(loss, leaf)]

    loss, gradient = in_float64(work)
    row_loss = F.nll_loss(log_probability, targets, reduction="none")
    return {
        "rows": rows,
        "columns": columns,
        "logProbability": written,
        "targets": targets.tolist(),
        "rowLoss": shortest(row_loss),
        "loss": loss,
        "gradient": gradient,
    }


def relu_case(generator):
    written, _ = decimals((61,), -1, 1, generator)
    written = [0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30] + written
    x = torch.tensor(written, dtype=torch.float32, requires_grad=True)
    dy_written, dy = decimals((len(written),), -1, 1, generator)
    y = F.relu(x)
    y.backward(dy)
    return {"x": written, "dy": dy_written, "y": shortest(y), "dx": shortest(x.grad)}


def sgd_case(generator, lr):
    value_written, value = decimals((45,), -1, 1, generator)
    gradient_written, _ = decimals((41,), -1, 1, generator)
    gradient_written += [0.0, 1e-20, 1e10, -1e10]
    gradient = torch.tensor(gradient_written, dtype=torch.float32)

    def work(dtype):
        parameter = nn.Parameter(value.to(dtype))
        parameter.grad = gradient.to(dtype)
        torch.optim.SGD([parameter], lr=lr).step()
        return [parameter]

    (after,) = in_float64(work)
    return {"lr": lr, "value": value_written, "gradient": gradient_written, "after": after}


def column_sum_case(generator, rows, columns):
    written, x = decimals((rows, columns), -1, 1, generator)
    (sums,) = in_float64(lambda dtype: [x.to(dtype).sum(0)])
    return {"rows": rows, "columns": columns, "x": written, "sums": sums}


def confusion_case(generator, rows, classes):
    # Few different logits, so that most rows tie.
    logits = torch.randint(-1, 2, (rows, classes), generator=generator)
    targets = torch.randint(0, classes, (rows,), generator=generator)
    predictions = logits.float().argmax(1)
    counts = torch.bincount(targets * classes + predictions, minlength=classes * classes)
    return {
        "rows": rows,
        "classes": classes,
        "logits": logits.flatten().tolist(),
        "targets": targets.tolist(),
        "counts": counts.tolist(),
    }


def ops():
    generator = torch.Generator()
    generator.manual_seed(11)
    return {
        "linear": [
            linear_case(generator, 1, 1, 1),
            linear_case(generator, 33, 17, 9),
            linear_case(generator, 3, 37, 5, relu=True),
            linear_case(generator, 9, 5, 35, relu=True, rectified=True),
            linear_case(generator, 7, 12, 5, relu=True, u8=True),
            linear_case(generator, 4, 7, 3, u8=True),
        ],
        "losses": loss_cases(generator),
        "nll": [nll_case(generator, 1, 1), nll_case(generator, 7, 4), nll_case(generator, 19, 3)],
        "relu": relu_case(generator),
        "sgd": [sgd_case(generator, lr) for lr in [0.125, 0.1, 1e-3]],
        "columnSum": [column_sum_case(generator, 1, 3), column_sum_case(generator, 131, 5)],
        "confusion": [confusion_case(generator, 1, 1), confusion_case(generator, 67, 5)],
        # ToTensor's scaling of every byte.
        "unpackU8": shortest(torch.arange(256, dtype=torch.uint8).float().div(255)),
    }


def roundoff_of(parameters, batches, lr, u8):
    """Bounds on how far a float32 run may be from the float64 one: a running error analysis, done by autograd.

    The training steps are written out in float64, and every value that a float32 program rounds gets a perturbation
    added to it. What that program computes is this computation with perturbations of at most the sizes given below, so
    to first order a number is off by at most the sum of |its derivative by a perturbation| times that size. The
    derivatives go through all steps between, so the bound grows as the training itself lets an error grow, and no faster.

    Sizes are in units of u = 2^-24, for the arithmetic that WGSL asks for (PyTorch's is better): +, - and × give one of
    the two neighbours, 2u; ÷ is within 2.5 ULP, 5u; exp(x) within 3 + 2|x| ULP of 2u; log within 3 ULP or 2^-21 = 8u. A
    sum of K products in any order carries K roundings. Bytes become x/255 within 3u. lr is a power of two: lr·g is exact.
    """
    assert math.log2(lr).is_integer()
    nodes = []

    def rounded(value, size):
        perturbation = torch.zeros_like(value, requires_grad=True)
        nodes.append((perturbation, size.detach()))
        return value + perturbation

    def bound_of(number):
        derivatives = torch.autograd.grad(number, [p for p, _ in nodes], retain_graph=True, allow_unused=True)
        return sum((d.abs() * size).sum().item() for d, (_, size) in zip(derivatives, nodes) if d is not None) * 2**-24

    theta = [parameter.detach().double() for parameter in parameters]
    losses, bounds = [], []
    for x, targets in batches:
        rows = len(x)
        activations, masks = [x], []
        for i in range(0, len(theta), 2):
            h, w, b = activations[-1], theta[i], theta[i + 1]
            terms = h.abs() @ w.abs().T
            scaling = 3 if u8 and i == 0 else 0
            z = rounded(h @ w.T + b, (2 * h.shape[1] + scaling) * terms + 2 * (terms + b.abs()))
            if i + 2 < len(theta):
                # The derivative of a ReLU is only right where no rounding carries a value across the kink.
                for near in z[z.abs() < 1e-3]:
                    assert near.abs().item() > bound_of(near), "a pre-activation too close to the kink: take another seed"
                masks.append(z > 0)
                activations.append(z * masks[-1])

        log_p = torch.log_softmax(z, 1)
        p, hot = log_p.exp(), F.one_hot(targets, z.shape[1]).double()
        with torch.no_grad():
            distance = z.max(1, keepdim=True).values - z  # the exponents, rounded once
            exp_size = 2 * distance + 2 * (3 + 2 * distance)
            sum_size = (p * exp_size).sum(1, keepdim=True) + 2 * z.shape[1]
            log_sum = (log_p + distance).abs().max(1, keepdim=True).values
            log_p_size = 2 * distance + sum_size + (6 * log_sum).clamp(min=8) + 2 * log_p.abs()
            # exp(z - max) / sum in one kernel, exp(log_softmax)·Σdy in two: whichever rounds more.
            p_size = torch.maximum(exp_size + sum_size + 5, log_p_size + 2 * (3 + 2 * log_p.abs()) + 7)
            d_size = (p * p_size + 7 * (p - hot).abs() + 5 * hot) / rows
            row_size = (log_p_size * hot).sum(1)
        row_loss = rounded(-(log_p * hot).sum(1), row_size)
        loss = rounded(row_loss.mean(), (2 * rows + 5) * row_loss.mean())
        losses.append(loss.item())
        bounds.append(bound_of(loss))

        dz = rounded((p - hot) / rows, d_size)
        gradients = [torch.empty(0)] * len(theta)
        for i in reversed(range(0, len(theta), 2)):
            h, w = activations[i // 2], theta[i]
            scaling = 3 if u8 and i == 0 else 0
            gradients[i] = rounded(dz.T @ h, (2 * rows + scaling) * (dz.abs().T @ h.abs()))
            gradients[i + 1] = rounded(dz.sum(0), 2 * rows * dz.abs().sum(0))
            if i > 0:
                dz = rounded(dz @ w, 2 * len(w) * (dz.abs() @ w.abs())) * masks[i // 2 - 1]
        theta = [value - lr * gradient for value, gradient in zip(theta, gradients)]
        theta = [rounded(value, 2 * value.abs()) for value in theta]

    for value in theta:
        smallest = value.flatten()[value.abs().argmin()]
        assert smallest.abs().item() > bound_of(smallest), "a weight whose sign is open: take another seed"
    return losses, bounds, [[bound_of(number) for number in summary(value)] for value in theta]


def summary(parameter):
    """What is kept of a parameter: its first and last three values, its sum and its sum of absolute values."""
    flat = parameter.flatten().double()
    return [*flat[:3], *flat[-3:], flat.sum(), flat.abs().sum()]


def trajectory(seed, sizes, rows, batch_size, epochs, lr, shuffle, u8):
    """Trains nn.Sequential(Linear, ReLU, …, Linear) from manual_seed(seed), in float32 and from the same weights in float64."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    features, classes = sizes[0], sizes[-1]
    # Bytes, or eighths from -1 to 1; the classes are those of a random linear map, so that there is something to learn.
    integers = torch.randint(*((0, 256) if u8 else (-8, 9)), (rows, features), generator=generator)
    inputs = integers.float().div(255 if u8 else 8)
    teacher = torch.randn(features, classes, generator=generator)
    targets = (integers.float().sub(127.5 if u8 else 0) @ teacher).argmax(1)

    torch.manual_seed(seed)
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    exact = copy.deepcopy(model).double()
    loader = DataLoader(TensorDataset(torch.arange(rows)), batch_size=batch_size, shuffle=shuffle)
    order = [batch[0] for _ in range(epochs) for batch in loader]

    def learn_small(network, x):
        optimizer = torch.optim.SGD(network.parameters(), lr=lr)
        losses = []
        for picked in order:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x[picked]), targets[picked])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    exact_inputs = integers.double().div(255 if u8 else 8)
    batches = [(exact_inputs[picked], targets[picked]) for picked in order]
    written_out, bounds, parameter_bounds = roundoff_of(list(model.parameters()), batches, lr, u8)
    losses, losses64 = learn_small(model, inputs), learn_small(exact, exact_inputs)
    # The analysis is of this very run.
    assert torch.allclose(losses64, torch.tensor(written_out, dtype=torch.float64), rtol=1e-12, atol=1e-14)
    shares = (losses.double() - losses64).abs() / torch.tensor(bounds)
    moved = f"losses {losses[0]:.3f} … {losses[-1]:.3f}, bounds {bounds[0]:.1e} … {bounds[-1]:.1e}"
    print(f"{sizes}: {moved}, PyTorch's float32 at {shares.max():.3f} of them", file=sys.stderr)

    def upwards(values):
        # One in a hundred more, for the three digits kept and for terms of second order.
        return [float(f"{1.01 * value:.3g}") for value in values]

    parameters = []
    for (name, value), value64, bound in zip(model.named_parameters(), exact.parameters(), parameter_bounds):
        parameters.append(
            {
                "name": name,
                "float32": ten_digits(torch.stack(summary(value))),
                "float64": ten_digits(torch.stack(summary(value64))),
                "bound": upwards(bound),
            }
        )
    return {
        "seed": seed,
        "sizes": sizes,
        "rows": rows,
        "batchSize": batch_size,
        "epochs": epochs,
        "lr": lr,
        "shuffle": shuffle,
        "u8": u8,
        "inputs": integers.flatten().tolist(),
        "targets": targets.tolist(),
        "losses": {"float32": shortest(losses), "float64": ten_digits(losses64), "bound": upwards(bounds)},
        "parameters": parameters,
    }


def trajectories():
    return [
        trajectory(1, [12, 16, 3], rows=36, batch_size=8, epochs=4, lr=0.25, shuffle=False, u8=False),
        trajectory(2, [28, 17, 9, 10], rows=29, batch_size=8, epochs=5, lr=0.5, shuffle=True, u8=True),
        trajectory(3, [7, 10], rows=19, batch_size=4, epochs=4, lr=0.5, shuffle=False, u8=True),
    ]



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


def learn(seed, epochs, train, test, wanted=lambda epoch, batch: epoch == 0 and batch % 100 == 0):
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
            if wanted(epoch, batch):
                losses.append({"epoch": epoch, "batch": batch, "loss": loss.item()})
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


def first_epoch(run):
    return {**run, "losses": [{"batch": point["batch"], "loss": point["loss"]} for point in run["losses"]]}


def page_reference():
    """The tutorial's run as the page draws it beside the reader's: src/web/reference.json."""
    train, test = tutorial_data("train"), tutorial_data("t10k")
    per_epoch = len(train[0].split(64))
    run = learn(0, 10, train, test, lambda epoch, batch: (epoch * per_epoch + batch) % 40 == 0)
    value = {
        "about": f"scripts/torch-fixtures.py page, PyTorch {torch.__version__}: the tutorial's run, seed 0, FashionMNIST",
        "steps": [point["epoch"] * per_epoch + point["batch"] + 1 for point in run["losses"]],
        "losses": [round(point["loss"], 4) for point in run["losses"]],
        "epochs": [
            {
                "epoch": result["epoch"],
                "step": result["epoch"] * per_epoch,
                "accuracy": result["accuracy"],
                "loss": round(result["loss"], 4),
            }
            for result in run["epochs"]
        ],
    }
    with open(os.path.join(ROOT, "src", "web", "reference.json"), "w") as file:
        json.dump(value, file)
        file.write("\n")


def families():
    """Names of the sections that have a file of their own: torch_fixtures/NAME.py, whose make() gives NAME.json."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_fixtures")
    return sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and name != "common.py")


def main():
    wanted = sys.argv[1:] or ["random", "ops", "trajectories", "tutorial", "page", *families()]
    if "random" in wanted:
        write("random.json", {"draws": draws(), "uniform": uniforms()})
        write("init.json", inits())
        write("order.json", {"permutations": permutations(), "loaders": loader_orders()})
    if "ops" in wanted:
        write("ops.json", ops())
    if "trajectories" in wanted:
        write("trajectories.json", {"runs": trajectories()})
    if "tutorial" in wanted:
        started = time.time()
        train, test = tutorial_data("train"), tutorial_data("t10k")
        about = "784-512-512-10, ReLU, cross-entropy, SGD lr 1e-3, batch 64 in file order, FashionMNIST"
        runs = [first_epoch(learn(0, 10, train, test)), first_epoch(learn(1, 1, train, test))]
        write("tutorial.json", {"about": about, "runs": runs})
        print(f"{time.time() - started:.0f} s", file=sys.stderr)
    if "page" in wanted:
        page_reference()
    for name in families():
        if name in wanted:
            write(f"{name}.json", importlib.import_module(f"torch_fixtures.{name}").make())
    # The repository's formatter has its own idea of JSON; without it only the check complains.
    subprocess.run(["npx", "biome", "format", "--write", "test/fixtures", "src/web"], cwd=ROOT, check=False)


main()
