"""losses.json: losses with all their options, row by row, reduced, and their gradients; and five steps of training."""

import torch
import torch.nn.functional as F
from torch import nn

from torch_fixtures.common import decimals, in_float64, ten_digits


def flat(rows):
    return [value for row in rows for value in row]


def class_case(name, logits, targets, weight=None, smoothing=0.0, ignore=None, log=False):
    """Cross-entropy, or with `log` NLL of log-probabilities. A target of floats holds probabilities."""
    x = torch.tensor(logits, dtype=torch.float32)
    probabilities = isinstance(targets[0], list)
    target = torch.tensor(targets, dtype=torch.float32 if probabilities else torch.int64)
    weights = None if weight is None else torch.tensor(weight, dtype=torch.float32)

    def work(dtype):
        leaf = x.to(dtype).requires_grad_()

        def loss(reduction):
            options = {"reduction": reduction, "weight": None if weights is None else weights.to(dtype)}
            if ignore is not None:
                options["ignore_index"] = ignore
            if log:
                return F.nll_loss(leaf, target, **options)
            wanted = target.to(dtype) if probabilities else target
            return F.cross_entropy(leaf, wanted, label_smoothing=smoothing, **options)

        (of_mean,) = torch.autograd.grad(loss("mean"), leaf)
        (of_sum,) = torch.autograd.grad(loss("sum"), leaf)
        return [loss("none"), loss("mean"), loss("sum"), of_mean, of_sum]

    none, mean, total, of_mean, of_sum = in_float64(work)
    return {
        "name": name,
        "rows": len(logits),
        "columns": len(logits[0]),
        "x": flat(logits),
        "targets": flat(targets) if probabilities else targets,
        "probabilities": probabilities,
        "weight": weight,
        "smoothing": smoothing,
        "ignoreIndex": ignore,
        "log": log,
        "none": none,
        "mean": mean[0],
        "sum": total[0],
        "gradientOfMean": of_mean,
        "gradientOfSum": of_sum,
    }


def class_cases(generator):
    def drawn(rows, columns, low, high):
        written, _ = decimals((rows, columns), low, high, generator)
        return [written[i * columns : (i + 1) * columns] for i in range(rows)]

    logits = drawn(5, 4, -6, 6)
    classes = [2, 0, 3, 3, 1]
    left_out = [2, -100, 3, -100, 1]
    probabilities = drawn(5, 4, 0, 1)
    weight = [0.5, 2.0, 0.0, 1.25]
    cases = []
    for smoothing in [0.0, 0.1]:
        for of in [None, weight]:
            text = f"smoothing {smoothing}{'' if of is None else ', weights'}"
            cases.append(class_case(f"classes, {text}", logits, classes, of, smoothing))
            cases.append(class_case(f"classes, some ignored, {text}", logits, left_out, of, smoothing, -100))
            cases.append(class_case(f"probabilities, {text}", logits, probabilities, of, smoothing))
    cases.append(class_case("a class ignored", logits, classes, weight, 0.2, 3))
    cases.append(class_case("all smoothed away", logits, classes, weight, 1.0))
    log_probability = drawn(5, 4, -7, 0)
    for of in [None, weight]:
        text = "" if of is None else ", weights"
        cases.append(class_case(f"nll{text}", log_probability, classes, of, log=True))
        cases.append(class_case(f"nll, some ignored{text}", log_probability, left_out, of, ignore=-100, log=True))
    extremes = {
        "±1e4": [[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]],
        "1e30": [[1e30, 0.0, -1e30], [1e30, 0.0, -1e30], [1e30, 1e30, 1e30]],
        "all equal": [[3.0] * 3, [0.0] * 3, [-1e4] * 3],
        "one class": [[5.0], [-7.25], [1e30]],
    }
    for name, rows in extremes.items():
        columns = len(rows[0])
        some = [1.5, 0.25, 2.0][:columns]
        cases.append(class_case(f"{name}, smoothed", rows, [0, columns // 2, columns - 1], some, 0.1))
        soft = [[0.5, 0.25, 0.25][:columns]] * 3
        cases.append(class_case(f"{name}, probabilities", rows, soft, some, 0.0))
    return cases


KINDS = {
    "mse": lambda x, t, reduction, edge, weight: F.mse_loss(x, t, reduction=reduction),
    "l1": lambda x, t, reduction, edge, weight: F.l1_loss(x, t, reduction=reduction),
    "smoothL1": lambda x, t, reduction, edge, weight: F.smooth_l1_loss(x, t, reduction=reduction, beta=edge),
    "huber": lambda x, t, reduction, edge, weight: F.huber_loss(x, t, reduction=reduction, delta=edge),
    "bceWithLogits": lambda x, t, reduction, edge, weight: F.binary_cross_entropy_with_logits(
        x, t, reduction=reduction, pos_weight=weight
    ),
}


def pointwise_case(name, kind, columns, written_x, written_t, edge=None, weight=None, float32=True):
    """Without `float32` PyTorch's float32 results need not agree: there its BCE takes nearly equal numbers from each other."""
    x = torch.tensor(written_x, dtype=torch.float32).reshape(-1, columns)
    target = torch.tensor(written_t, dtype=torch.float32).reshape(-1, columns)
    weights = None if weight is None else torch.tensor(weight, dtype=torch.float32)
    edge32 = None if edge is None else torch.tensor(edge, dtype=torch.float32).item()

    def work(dtype):
        leaf = x.to(dtype).requires_grad_()
        of = None if weights is None else weights.to(dtype)

        def loss(reduction):
            return KINDS[kind](leaf, target.to(dtype), reduction, edge32, of)

        (of_mean,) = torch.autograd.grad(loss("mean"), leaf)
        return [loss("none").mean(1), loss("mean"), loss("sum"), of_mean]

    exact = in_float64(work) if float32 else [ten_digits(tensor) for tensor in work(torch.float64)]
    row_mean, mean, total, of_mean = exact
    return {
        "name": name,
        "kind": kind,
        "rows": x.shape[0],
        "columns": columns,
        "x": written_x,
        "targets": written_t,
        "edge": edge,
        "weight": weight,
        "rowMean": row_mean,
        "mean": mean[0],
        "sum": total[0],
        "gradientOfMean": of_mean,
    }


def pointwise_cases(generator):
    x, _ = decimals((3, 5), -3, 3, generator)
    x[2:4] = [0.25, -1.5]
    t, _ = decimals((3, 5), -2, 2, generator)
    t[2:4] = [0.25, -1.5]  # no difference at all
    p, _ = decimals((3, 5), 0, 1, generator)
    p[0:3] = [0.0, 1.0, 1.0]
    cases = [
        pointwise_case("mse", "mse", 5, x, t),
        pointwise_case("l1", "l1", 5, x, t),
        pointwise_case("smooth L1", "smoothL1", 5, x, t, 1.0),
        pointwise_case("smooth L1, beta 0.3", "smoothL1", 5, x, t, 0.3),
        # At no difference PyTorch's gradient of this is -1, though that of L1 is 0.
        pointwise_case("smooth L1, beta 0", "smoothL1", 5, x, [v + 0.001 for v in t], 0.0),
        pointwise_case("huber", "huber", 5, x, t, 1.0),
        pointwise_case("huber, delta 2.5", "huber", 5, x, t, 2.5),
        pointwise_case("bce", "bceWithLogits", 5, x, p),
        pointwise_case("bce, weights", "bceWithLogits", 5, x, p, weight=[0.0, 0.5, 1.0, 3.0, 10.0]),
    ]
    far = [1e4, -1e4, 1e30, -1e30, 12.0, -12.0, 0.0, 15.0, -15.0]
    truth = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5, 1.0, 0.0]
    cases.append(pointwise_case("bce, right and sure", "bceWithLogits", 3, far, truth, float32=False))
    lie = [1.0 - v for v in truth]
    cases.append(pointwise_case("bce, wrong and sure", "bceWithLogits", 3, far, lie, weight=[2.0, 0.5, 1.0]))
    for kind, edge in [("l1", None), ("smoothL1", 0.5), ("huber", 2.0)]:
        cases.append(pointwise_case(f"{kind}, far off", kind, 3, far, truth, edge))
    cases.append(pointwise_case("mse, far off", "mse", 3, [1e4, -1e4, 1e18, -1e18, 1e-18, 0.0], [0.0] * 6))
    return cases


def run(name, sizes, batch_size, lr, loss, targets, **options):
    """Five steps of a small network, with PyTorch's own initial weights of seed 3, in float32 and in float64."""
    torch.manual_seed(3)
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    generator = torch.Generator()
    generator.manual_seed(7)
    written, x = decimals((5 * batch_size, sizes[0]), -1, 1, generator)
    written_t, target = targets(5 * batch_size, sizes[-1], generator)

    def work(dtype):
        net = nn.Sequential(*(type(m)(m.in_features, m.out_features) if isinstance(m, nn.Linear) else nn.ReLU() for m in model))
        net.load_state_dict(model.state_dict())
        net.to(dtype)
        optimizer = torch.optim.SGD(net.parameters(), lr=lr)
        losses = []
        for start in range(0, 5 * batch_size, batch_size):
            optimizer.zero_grad()
            wanted = target[start : start + batch_size]
            value = loss(net(x[start : start + batch_size].to(dtype)), wanted, dtype)
            value.backward()
            losses.append(value.detach())
            optimizer.step()
        return [torch.stack(losses), *net.parameters()]

    losses, *parameters = in_float64(work)
    return {
        "name": name,
        "seed": 3,
        "sizes": sizes,
        "batchSize": batch_size,
        "lr": lr,
        "inputs": written,
        "targets": written_t,
        **options,
        "losses": losses,
        "parameters": {key: values for (key, _), values in zip(model.named_parameters(), parameters)},
    }


def runs():
    weight = [0.5, 2.0, 1.0, 0.25]

    def values(rows, columns, generator):
        return decimals((rows, columns), -1, 1, generator)

    def classes(rows, columns, generator):
        drawn = torch.randint(0, columns, (rows,), generator=generator)
        drawn[::6] = -100
        return drawn.tolist(), drawn

    def soft(x, target, dtype):
        of = torch.tensor(weight, dtype=dtype)
        return F.cross_entropy(x, target, weight=of, label_smoothing=0.1, ignore_index=-100)

    return [
        run("mse", [6, 8, 3], 7, 0.125, lambda x, t, dtype: F.mse_loss(x, t.to(dtype)), values),
        run("cross_entropy", [8, 8, 4], 7, 0.25, soft, classes, weight=weight, smoothing=0.1, ignoreIndex=-100),
    ]


def make():
    generator = torch.Generator()
    generator.manual_seed(29)
    return {"classes": class_cases(generator), "pointwise": pointwise_cases(generator), "runs": runs()}
