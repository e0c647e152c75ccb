"""Exports one small model of each family of ranking models, with inputs and reference outputs.

    python export_families.py --out reference
    python export_families.py --out . --large dlrm,dcnv2

The weights are random, from fixed seeds, and scaled so that scores spread over (0, 1): a wrong row, a swapped input
or a lost field shows in the numbers. References are computed in float64 from the float32 weights and inputs, so that
they are nearer to the truth than any engine that is compared with them.

What the networks are written with is chosen for what it exports to: ``view(-1, n)`` becomes one Reshape with a
constant, where ``flatten`` and ``squeeze`` may compute shapes at run time, and ``cat`` one Concat, where ``stack``
may become a sequence.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

import onnx_export

BATCHES = (1, 7, 32, 100)

# Logits with this deviation give scores mostly within (0.05, 0.95).
LOGIT_DEVIATION = 1.4
CALIBRATION_ROWS = 2048

Arrays = dict[str, np.ndarray]


# ------------------------------------------------------------------------------------------------------ building blocks


def mlp(*widths: int, last_relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(before, after))
        if last_relu or index + 2 < len(widths):
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Fields(nn.Module):
    """One table for all fields: every field's ids start from 0 and are moved to its own range of rows."""

    def __init__(self, fields: int, ids: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.table = nn.Embedding(fields * ids, width)
        self.register_buffer("offsets", (torch.arange(fields) * ids).to(dtype), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids + self.offsets)


class PairwiseDots(nn.Module):
    """The dot product of every two vectors: [rows, n, width] to [rows, n (n - 1) / 2]."""

    def __init__(self, vectors: int) -> None:
        super().__init__()
        rows, columns = np.tril_indices(vectors, -1)
        # Indices into the flattened matrix: one Gather, where a mask would need operators that few engines have.
        self.register_buffer("pairs", torch.from_numpy(rows * vectors + columns), persistent=False)
        self.square = vectors * vectors
        self.count = len(rows)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.bmm(vectors, vectors.transpose(1, 2)).view(-1, self.square).index_select(1, self.pairs)


class Head(nn.Module):
    """The last step of every model. Scale and shift are constants that ``calibrate`` measures."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("shift", torch.zeros(1))
        self.seen: torch.Tensor | None = None

    def forward(self, logit: torch.Tensor) -> torch.Tensor:
        if self.seen is not None:
            self.seen = logit.detach()
        return torch.sigmoid((logit - self.shift) * self.scale)


# --------------------------------------------------------------------------------------------------------- the families


class Dlrm(nn.Module):
    """Naumov et al., 2019."""

    def __init__(
        self, dense: int, fields: int, ids: int, width: int, bottom: Sequence[int], top: Sequence[int]
    ) -> None:
        super().__init__()
        self.bottom = mlp(dense, *bottom, width)
        self.fields = Fields(fields, ids, width, torch.int64)
        self.dots = PairwiseDots(fields + 1)
        self.top = mlp(width + self.dots.count, *top, 1, last_relu=False)
        self.head = Head()

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        bottom = self.bottom(dense)
        vectors = torch.cat([bottom.unsqueeze(1), self.fields(ids)], dim=1)
        return self.head(self.top(torch.cat([bottom, self.dots(vectors)], dim=1)))


class DeepFm(nn.Module):
    """Guo et al., 2017. Ids are int32."""

    def __init__(self, dense: int, fields: int, ids: int, width: int, deep: Sequence[int]) -> None:
        super().__init__()
        self.first = Fields(fields, ids, 1, torch.int32)
        self.first_dense = nn.Linear(dense, 1)
        self.fields = Fields(fields, ids, width, torch.int32)
        self.flat = fields * width
        self.deep = mlp(dense + self.flat, *deep, 1, last_relu=False)
        self.head = Head()

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        vectors = self.fields(ids)
        first = self.first(ids).sum(dim=1) + self.first_dense(dense)
        total = vectors.sum(dim=1)
        second = 0.5 * (total * total - (vectors * vectors).sum(dim=1)).sum(dim=1, keepdim=True)
        return self.head(first + second + self.deep(torch.cat([dense, vectors.view(-1, self.flat)], dim=1)))


class DcnV2(nn.Module):
    """Wang et al., 2021, with low-rank cross layers beside a deep network."""

    def __init__(
        self, dense: int, fields: int, ids: int, width: int, crosses: int, rank: int, deep: Sequence[int]
    ) -> None:
        super().__init__()
        self.flat = fields * width
        size = dense + self.flat
        self.fields = Fields(fields, ids, width, torch.int64)
        self.down = nn.ModuleList(nn.Linear(size, rank, bias=False) for _ in range(crosses))
        self.up = nn.ModuleList(nn.Linear(rank, size) for _ in range(crosses))
        self.deep = mlp(size, *deep)
        self.last = nn.Linear(size + deep[-1], 1)
        self.head = Head()

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        start = torch.cat([dense, self.fields(ids).view(-1, self.flat)], dim=1)
        cross = start
        for down, up in zip(self.down, self.up):
            cross = start * up(down(cross)) + cross
        return self.head(self.last(torch.cat([cross, self.deep(start)], dim=1)))


class Din(nn.Module):
    """Zhou et al., 2018: attention of the candidate item to a history, which is padded with id 0."""

    def __init__(self, profile: int, items: int, steps: int, width: int, context: int) -> None:
        super().__init__()
        self.items = nn.Embedding(items, width)
        self.steps = steps
        # Multiplying by ones repeats the candidate for every step; an Expand would ask for the batch size at run
        # time.
        self.register_buffer("repeat", torch.ones(1, steps, 1), persistent=False)
        step = width + context
        self.candidate = nn.Linear(width, step)
        self.attention = mlp(4 * step, 64, 32, 1, last_relu=False)
        self.top = mlp(profile + width + step, 128, 64, 1, last_relu=False)
        self.head = Head()

    def forward(
        self, profile: torch.Tensor, item: torch.Tensor, history: torch.Tensor, context: torch.Tensor
    ) -> torch.Tensor:
        item_vector = self.items(item)
        steps = torch.cat([self.items(history), context], dim=2)
        query = self.candidate(item_vector).unsqueeze(1) * self.repeat
        logit = self.attention(torch.cat([query, steps, query - steps, query * steps], dim=2)).view(-1, self.steps)
        present = (history != 0).to(logit.dtype)
        # A large finite number rather than infinity: a customer without any history gets even weights, not NaN, and
        # the second mask takes all of them away. It fits into float16.
        weight = torch.softmax(logit + (present - 1.0) * 30000.0, dim=1) * present
        interest = (steps * weight.unsqueeze(2)).sum(dim=1)
        return self.head(self.top(torch.cat([profile, item_vector, interest], dim=1))).view(-1)


class MultiTask(nn.Module):
    """Ma et al., 2018: experts that the tasks share through gates (MMoE). ``ctr`` has rank 1, ``cvr`` rank 2."""

    def __init__(self, dense: int, fields: int, ids: int, width: int, experts: int) -> None:
        super().__init__()
        self.flat = fields * width
        size = dense + self.flat
        self.fields = Fields(fields, ids, width, torch.int64)
        self.experts = nn.ModuleList(mlp(size, 128, 64) for _ in range(experts))
        self.gates = nn.ModuleList(nn.Linear(size, experts) for _ in range(2))
        self.towers = nn.ModuleList(mlp(64, 32, 1, last_relu=False) for _ in range(2))
        self.heads = nn.ModuleList(Head() for _ in range(2))

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        both = torch.cat([dense, self.fields(ids).view(-1, self.flat)], dim=1)
        experts = torch.cat([expert(both).unsqueeze(1) for expert in self.experts], dim=1)
        scores = []
        for gate, tower, head in zip(self.gates, self.towers, self.heads):
            weight = torch.softmax(gate(both), dim=1).unsqueeze(2)
            scores.append(head(tower((experts * weight).sum(dim=1))))
        return scores[0].view(-1), scores[1]


class WideDeep(nn.Module):
    """Cheng et al., 2016. Ids are int32, and the file is exported for one batch size only."""

    def __init__(self, dense: int, fields: int, ids: int, width: int, deep: Sequence[int]) -> None:
        super().__init__()
        self.wide = Fields(fields, ids, 1, torch.int32)
        self.wide_dense = nn.Linear(dense, 1)
        self.fields = Fields(fields, ids, width, torch.int32)
        self.flat = fields * width
        self.deep = mlp(dense + self.flat, *deep, 1, last_relu=False)
        self.head = Head()

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        wide = self.wide(ids).sum(dim=1) + self.wide_dense(dense)
        return self.head(wide + self.deep(torch.cat([dense, self.fields(ids).view(-1, self.flat)], dim=1)))


# --------------------------------------------------------------------------------------------------------------- inputs


def drawn_ids(random: np.random.Generator, shape: tuple[int, ...], ids: int, dtype: type) -> np.ndarray:
    """Ids over the whole range; its two ends, where mistakes happen, are always among them."""
    drawn = random.integers(0, ids, shape)
    drawn.flat[0] = 0
    drawn.flat[-1] = ids - 1
    return drawn.astype(dtype)


def drawn_floats(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


def plain_inputs(dense: int, fields: int, ids: int, dtype: type) -> Callable[[np.random.Generator, int], Arrays]:
    def draw(random: np.random.Generator, rows: int) -> Arrays:
        return {
            "dense": drawn_floats(random, rows, dense),
            "ids": drawn_ids(random, (rows, fields), ids, dtype),
        }

    return draw


def din_inputs(
    profile: int, items: int, steps: int, context: int
) -> Callable[[np.random.Generator, int], Arrays]:
    def draw(random: np.random.Generator, rows: int) -> Arrays:
        # Histories of every length from none to full, newest first, the rest padding.
        lengths = random.integers(0, steps + 1, rows)
        lengths[0] = steps if rows > 1 else steps // 2
        lengths[1:2] = 0
        history = random.integers(1, items, (rows, steps))
        history[0, 0] = items - 1
        history[np.arange(steps)[None, :] >= lengths[:, None]] = 0
        item = random.integers(1, items, rows)
        item[-1] = items - 1
        if rows > 2:
            item[1] = 0  # an unknown item
        return {
            "profile": drawn_floats(random, rows, profile),
            "item": item.astype(np.int64),
            "history": history.astype(np.int64),
            "context": drawn_floats(random, rows, steps, context),
        }

    return draw


# -------------------------------------------------------------------------------------------------------------- exports


@dataclasses.dataclass(frozen=True)
class Family:
    model: Callable[[], nn.Module]
    inputs: Callable[[np.random.Generator, int], Arrays]
    outputs: tuple[str, ...]
    fixed_batch: int | None = None


FAMILIES: dict[str, Family] = {
    "dlrm": Family(
        lambda: Dlrm(64, 32, 500, 16, bottom=(128, 64), top=(256, 128)),
        plain_inputs(64, 32, 500, np.int64),
        ("score",),
    ),
    "deepfm": Family(
        lambda: DeepFm(16, 20, 800, 16, deep=(256, 128)),
        plain_inputs(16, 20, 800, np.int32),
        ("score",),
    ),
    "dcnv2": Family(
        lambda: DcnV2(32, 24, 500, 16, crosses=3, rank=32, deep=(256, 128)),
        plain_inputs(32, 24, 500, np.int64),
        ("score",),
    ),
    "din": Family(
        lambda: Din(profile=16, items=10_000, steps=20, width=32, context=4),
        din_inputs(profile=16, items=10_000, steps=20, context=4),
        ("ctr",),
    ),
    "multitask": Family(
        lambda: MultiTask(24, 16, 500, 16, experts=4),
        plain_inputs(24, 16, 500, np.int64),
        ("ctr", "cvr"),
    ),
    "widedeep": Family(
        lambda: WideDeep(13, 26, 600, 16, deep=(256, 128)),
        plain_inputs(13, 26, 600, np.int32),
        ("score",),
        fixed_batch=32,
    ),
}

# For benchmarks: 64 dense floats and 32 ids of 10,000 values, 82 MB of embeddings.
LARGE: dict[str, Family] = {
    "dlrm": Family(
        lambda: Dlrm(64, 32, 10_000, 64, bottom=(512, 256), top=(1024, 1024, 512, 256)),
        plain_inputs(64, 32, 10_000, np.int64),
        ("score",),
    ),
    "dcnv2": Family(
        lambda: DcnV2(64, 32, 10_000, 64, crosses=3, rank=256, deep=(1024, 1024, 512, 256)),
        plain_inputs(64, 32, 10_000, np.int64),
        ("score",),
    ),
}


def initialise(model: nn.Module) -> None:
    """Random weights that keep the signal's size from layer to layer, whatever PyTorch's defaults are."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=(2.0 / module.in_features) ** 0.5)
            nn.init.normal_(module.bias, std=0.1) if module.bias is not None else None
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.5)


@torch.no_grad()
def calibrate(model: nn.Module, inputs: Arrays) -> None:
    """Sets every head's scale and shift from the logits of a sample, so that scores are neither all 0.5 nor 0 and 1."""
    heads = [module for module in model.modules() if isinstance(module, Head)]
    for head in heads:
        head.seen = torch.zeros(0)
    model(*tensors(inputs).values())
    for head in heads:
        logit = head.seen
        head.seen = None
        # Rounded: enough for its purpose, and independent of the order in which a machine adds up.
        head.shift.fill_(round(float(logit.mean()), 3))
        head.scale.fill_(float(f"{LOGIT_DEVIATION / float(logit.std()):.3g}"))


def tensors(inputs: Arrays) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in inputs.items()}


@torch.no_grad()
def reference(model: nn.Module, outputs: Sequence[str], inputs: Arrays) -> Arrays:
    """The outputs in float64."""
    exact = copy.deepcopy(model).double()
    result = exact(*(x.double() if x.is_floating_point() else x for x in tensors(inputs).values()))
    values = result if isinstance(result, tuple) else (result,)
    return {name: value.numpy() for name, value in zip(outputs, values)}


def seed_of(name: str) -> int:
    """A seed that stays when families are added or sorted anew."""
    return int.from_bytes(name.encode(), "big") % (2**31)


def build(name: str, family: Family, path: Path) -> nn.Module:
    """Makes the model, writes it, and leaves it calibrated."""
    torch.manual_seed(seed_of(name))
    model = family.model().eval()
    initialise(model)
    random = np.random.default_rng(seed_of(name))
    calibrate(model, family.inputs(random, CALIBRATION_ROWS))
    rows = family.fixed_batch or 8
    example = family.inputs(random, rows)
    onnx_export.export(model, tensors(example), family.outputs, path, dynamic_batch=family.fixed_batch is None)
    return model


def verify(path: Path, family: Family, inputs: Arrays, expected: Arrays) -> float:
    """ONNX Runtime against the reference; a fixed batch is fed in parts, the last one filled up with its first row."""
    if family.fixed_batch is None:
        return onnx_export.verify(path, inputs, expected)
    rows = len(next(iter(inputs.values())))
    worst = 0.0
    for start in range(0, rows, family.fixed_batch):
        index = np.arange(start, start + family.fixed_batch)
        index[index >= rows] = start
        part = {name: array[index] for name, array in inputs.items()}
        worst = max(worst, onnx_export.verify(path, part, {name: array[index] for name, array in expected.items()}))
    return worst


def export_family(name: str, family: Family, folder: Path) -> None:
    path = folder / "model.onnx"
    model = build(name, family, path)
    random = np.random.default_rng(seed_of(name) + 1)
    arrays: Arrays = {}
    worst, scores = 0.0, []
    for rows in BATCHES:
        inputs = family.inputs(random, rows)
        expected = reference(model, family.outputs, inputs)
        worst = max(worst, verify(path, family, inputs, expected))
        scores.append(np.stack([value.reshape(-1) for value in expected.values()], axis=1))
        arrays |= {f"batch{rows}.in.{key}": array for key, array in inputs.items()}
        arrays |= {f"batch{rows}.out.{key}": array for key, array in expected.items()}
    spread = np.concatenate(scores)
    if spread.std(axis=0).min() < 0.1:
        raise RuntimeError(f"{name}: scores hardly differ, their deviation is {spread.std(axis=0)}")
    np.savez_compressed(folder / "reference.npz", **arrays)
    print(
        f"{name:10s} {path.stat().st_size / 1e6:5.2f} MB, references"
        f" {(folder / 'reference.npz').stat().st_size / 1e3:4.0f} kB, scores {spread.min():.3f} to {spread.max():.3f},"
        f" deviation {spread.std(axis=0).min():.2f}, ONNX Runtime agrees to {worst:.1g}"
    )


def export_large(name: str, family: Family, folder: Path) -> None:
    path = folder / "model.onnx"
    model = build(name + "-large", family, path)
    inputs = family.inputs(np.random.default_rng(seed_of(name)), 32)
    worst = verify(path, family, inputs, reference(model, family.outputs, inputs))
    print(f"{name}-large {path.stat().st_size / 1e6:.1f} MB, ONNX Runtime agrees to {worst:.1g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to, one folder per family in it")
    parser.add_argument(
        "--large", default="", help=f"write these models' large variants instead: some of {','.join(LARGE)}"
    )
    arguments = parser.parse_args()
    began = time.monotonic()
    large = [name for name in arguments.large.split(",") if name]
    unknown = [name for name in large if name not in LARGE]
    if unknown:
        parser.error(f"no large variant of {', '.join(unknown)}; there is one of {', '.join(LARGE)}")
    for name in large:
        export_large(name, LARGE[name], arguments.out / f"{name}-large")
    if not large:
        for name, family in FAMILIES.items():
            export_family(name, family, arguments.out / name)
    print(f"{arguments.out}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
