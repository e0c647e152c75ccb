"""The one place that turns a PyTorch module into a checked ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import Message

OPSET = 18
MAX_BATCH = 65536

# ONNX Runtime and PyTorch add up in different orders, so float32 results differ by rounding, not by more.
TOLERANCE = 1e-5

# What the exporter may leave behind. A model that needs anything else should be noticed here, by whoever changes it,
# rather than by an inference engine's parser.
EXPECTED_OPERATORS = frozenset({
    "Add", "Cast", "CastLike", "Concat", "Constant", "Div", "Equal", "Expand", "Flatten", "Gather", "Gemm",
    "Identity", "MatMul", "Mul", "Neg", "Not", "ReduceSum", "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Softmax",
    "Squeeze", "Sub", "Transpose", "Unsqueeze",
})


def export(
    model: torch.nn.Module,
    example: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    path: Path,
    dynamic_batch: bool = True,
) -> None:
    """Writes ``model`` to ``path``; the keys of ``example`` are the names of forward's arguments, in their order.

    With ``dynamic_batch`` the first dimension of every input and output becomes ``batch``. The example then needs three
    rows or more: sizes 0 and 1 are what tracing takes for constants.
    """
    model.eval()
    shapes = None
    if dynamic_batch:
        rows = {tensor.shape[0] for tensor in example.values()}
        if len(rows) != 1 or min(rows) < 3:
            raise ValueError(f"a dynamic batch needs one example batch of at least 3 rows, not {sorted(rows)}")
        batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
        shapes = {name: {0: batch} for name in example}
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(
            model,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=shapes,
            external_data=False,
        )
    tidy(path, dynamic_batch)
    check(path, list(example), list(outputs), dynamic_batch)


def tidy(path: Path, dynamic_batch: bool) -> None:
    """Leaves in the file what an inference engine reads, and the same bytes wherever it was exported."""
    model = onnx.load(str(path))
    if dynamic_batch:
        # Depending on its version the exporter keeps a symbol of its own, such as s0, for the dimension.
        graph = model.graph
        symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
        for value in [*graph.input, *graph.output, *graph.value_info]:
            for dimension in value.type.tensor_type.shape.dim:
                if symbol and dimension.dim_param == symbol:
                    dimension.dim_param = "batch"
    strip(model)
    onnx.save(model, str(path))


def strip(message: Message) -> None:
    """Removes documentation: the exporter's stack traces tell where on somebody's disk the sources were."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif isinstance(value, Message):
            strip(value)
        elif field.message_type is not None:
            for item in value:
                strip(item)


def check(path: Path, inputs: Sequence[str], outputs: Sequence[str], dynamic_batch: bool) -> None:
    """Fails when the file is not the plain, self-contained model that was asked for."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]
    if names != list(inputs):
        raise RuntimeError(f"{path}: its inputs are {names}, not {list(inputs)}")
    names = [value.name for value in graph.output]
    if names != list(outputs):
        raise RuntimeError(f"{path}: its outputs are {names}, not {list(outputs)}")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise RuntimeError(f"{path}: its weights are in another file")
    if model.functions:
        raise RuntimeError(f"{path}: it calls functions of its own: {[function.name for function in model.functions]}")
    unexpected = {node.op_type for node in graph.node} - EXPECTED_OPERATORS
    if unexpected:
        raise RuntimeError(f"{path}: unexpected operators {sorted(unexpected)}")
    for value in [value for value in graph.input if value.name not in weights] + list(graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if dynamic_batch and first.dim_param != "batch":
            raise RuntimeError(f"{path}: the first dimension of {value.name} is {first.dim_value or first.dim_param!r}")
        if not dynamic_batch and first.dim_value < 1:
            raise RuntimeError(f"{path}: the first dimension of {value.name} is not fixed")


def verify(path: Path, inputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """Runs the file with ONNX Runtime; returns the largest difference from ``expected``, fails when it is too large."""
    # Imported late: training and exporting are possible without it, an unverified file is not.
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for name, actual in zip(expected, session.run(list(expected), dict(inputs))):
        if actual.shape != expected[name].shape:
            raise RuntimeError(f"{path}: {name} is {actual.shape}, expected {expected[name].shape}")
        difference = float(np.abs(actual.astype(np.float64) - expected[name]).max())
        if not difference <= TOLERANCE:
            raise RuntimeError(f"{path}: {name} is off by {difference:.3g}, more than {TOLERANCE:g}")
        worst = max(worst, difference)
    return worst
