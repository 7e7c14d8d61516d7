"""optimizers.json: PyTorch's optimizers after 5 and after 200 steps, its clipping, and five steps of a small network by each.

Gradients come from a formula that both sides compute exactly in float64 and round to float32 once: whole numbers of
sixteenths that look random. Values and what is kept are PyTorch's of float64, after making sure that its float32 says the
same where it can.
"""

import torch
from torch import nn

from torch_fixtures.common import decimals, ten_digits

SIZE = 24
STEPS = (5, 200)
# These elements' gradients are multiplied so; those of element 0 are 0.
SCALES = {1: 1e-20, 2: 1e10, 3: 1e-4, 4: 100.0}


def gradient(step, i):
    """Of element i in step 1, 2, …; a sixteenth of -8 … 24 without 0, so that none cancels over the steps."""
    if i == 0:
        return 0.0
    sixteenths = ((i * 7919 + step * 104729 + i * step * 31) % 33) - 8
    return (sixteenths or 1) / 16 * SCALES.get(i, 1.0)


def gradients(step, dtype):
    exact = [gradient(step, i) for i in range(SIZE)]
    return torch.tensor(exact, dtype=torch.float32).to(dtype)


def start(maximize):
    """Values that the gradients, most of them positive, lead away from 0, where a relative error means little."""
    return [(2.5 + i / 16) * (1 if maximize else -1) for i in range(SIZE)]


# Name in optim, PyTorch's class, PyTorch's options; how the options are called in TypeScript.
CASES = [
    ("sgd", dict(lr=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9)),
    ("sgd", dict(lr=0.05, momentum=0.8, dampening=0.3)),
    ("sgd", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("sgd", dict(lr=0.05, weight_decay=0.1, maximize=True)),
    ("adam", dict()),
    ("adam", dict(lr=0.01, betas=[0.8, 0.95], eps=1e-3)),
    ("adam", dict(lr=0.01, weight_decay=0.1, amsgrad=True)),
    ("adam", dict(maximize=True)),
    ("adamw", dict()),
    ("adamw", dict(lr=0.01, weight_decay=0.1, amsgrad=True, betas=[0.5, 0.9])),
    ("rmsprop", dict()),
    ("rmsprop", dict(lr=0.001, alpha=0.9, eps=1e-3, weight_decay=0.05)),
    ("rmsprop", dict(lr=0.001, momentum=0.9)),
    ("rmsprop", dict(lr=0.001, centered=True, momentum=0.5, eps=1e-4)),
    ("adagrad", dict()),
    ("adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.01, initial_accumulator_value=0.5, eps=1e-6)),
]
CLASSES = dict(
    sgd=torch.optim.SGD,
    adam=torch.optim.Adam,
    adamw=torch.optim.AdamW,
    rmsprop=torch.optim.RMSprop,
    adagrad=torch.optim.Adagrad,
)


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def spelt(options):
    return {camel(name): value for name, value in options.items()}


def state_of(optimizer, parameter):
    """Arrays that are kept, by name; a buffer that PyTorch does not have is left out."""
    state = optimizer.state.get(parameter, {})
    return {
        name: value.clone()
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    }


def trained(kind, options, dtype):
    parameter = nn.Parameter(torch.tensor(start(options.get("maximize", False)), dtype=torch.float32).to(dtype))
    optimizer = CLASSES[kind]([parameter], **options)
    kept = {}
    for step in range(1, STEPS[-1] + 1):
        parameter.grad = gradients(step, dtype)
        optimizer.step()
        if step in STEPS:
            kept[step] = {"value": parameter.detach().clone(), **state_of(optimizer, parameter)}
    return kept


def optimizer_case(kind, options):
    exact, narrow = trained(kind, options, torch.float64), trained(kind, options, torch.float32)
    for step in STEPS:
        for name, wide in exact[step].items():
            rtol = 1e-5 if step == STEPS[0] else 1e-4
            assert torch.allclose(wide, narrow[step][name].double(), rtol=rtol, atol=1e-38), (kind, options, step, name, wide / narrow[step][name] - 1)
    return {
        "kind": kind,
        "options": spelt(options),
        "steps": [
            {"step": step, **{name: nine_digits(tensor) for name, tensor in exact[step].items()}} for step in STEPS
        ],
    }


def nine_digits(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def groups_case():
    """Two groups of a model's parameters, one with options of its own, and learning rates that change at step 3."""
    model, batch, loss_of = network(torch.float64)
    first, second = model[0], model[2]
    optimizer = torch.optim.SGD(
        [{"params": first.parameters()}, {"params": second.parameters(), "lr": 0.5, "weight_decay": 0.1}],
        lr=0.1,
        momentum=0.9,
    )
    for step in range(1, 6):
        if step == 3:
            optimizer.param_groups[0]["lr"] = 0.02
            optimizer.param_groups[1]["lr"] = 0.25
            optimizer.param_groups[1]["momentum"] = 0.5
        learn(model, optimizer, batch, loss_of)
    return parameters_of(model)


INPUTS, HIDDEN, OUTPUTS, ROWS = 6, 7, 4, 8


def network(dtype):
    """Linear, ReLU, Linear from short decimals, the same every time; and a batch."""
    generator = torch.Generator()
    generator.manual_seed(5)
    model = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS))
    written = []
    with torch.no_grad():
        for parameter in model.parameters():
            text, values = decimals(parameter.shape, -0.7, 0.7, generator)
            written.append(text)
            parameter.copy_(values)
    x_text, x = decimals((ROWS, INPUTS), -1, 1, generator)
    targets = torch.randint(0, OUTPUTS, (ROWS,), generator=generator)
    network.written = {"parameters": written, "inputs": x_text, "targets": targets.tolist()}
    return model.to(dtype), (x.to(dtype), targets), nn.CrossEntropyLoss()


def learn(model, optimizer, batch, loss_of, clip=None):
    optimizer.zero_grad()
    z = model[0](batch[0])
    assert z.abs().min() > 1e-5, "a pre-activation too close to the kink: draw others"
    loss = loss_of(model(batch[0]), batch[1])
    loss.backward()
    if clip is not None:
        clip(model.parameters())
    optimizer.step()
    return loss.item()


def parameters_of(model):
    return [ten_digits(parameter) for parameter in model.parameters()]


TRAJECTORIES = [
    ("sgd", dict(lr=0.2, momentum=0.9, nesterov=True)),
    ("adam", dict(lr=0.01)),
    ("adamw", dict(lr=0.01, weight_decay=0.1)),
    ("rmsprop", dict(lr=0.01)),
    ("adagrad", dict(lr=0.05)),
]


def trajectory(kind, options, clip=None, named=None):
    def run(dtype):
        model, batch, loss_of = network(dtype)
        optimizer = CLASSES[kind](model.parameters(), **options)
        losses = [learn(model, optimizer, batch, loss_of, clip) for _ in range(5)]
        return losses, model

    (losses, model), (narrow, _) = run(torch.float64), run(torch.float32)
    assert torch.allclose(torch.tensor(losses), torch.tensor(narrow), rtol=1e-5)
    return {
        "kind": kind,
        "options": spelt(options),
        "clip": named or {},
        "losses": [float(f"{loss:.10g}") for loss in losses],
        "parameters": parameters_of(model),
    }


def make():
    by_norm = lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1)
    by_value = lambda parameters: nn.utils.clip_grad_value_(parameters, 0.02)
    return {
        "cases": [optimizer_case(kind, options) for kind, options in CASES],
        "groups": groups_case(),
        "trajectories": [trajectory(kind, options) for kind, options in TRAJECTORIES]
        + [
            trajectory("sgd", dict(lr=0.5), by_norm, {"clipGradNorm": 0.1}),
            trajectory("sgd", dict(lr=0.5), by_value, {"clipGradValue": 0.02}),
        ],
        "network": network.written,
    }
