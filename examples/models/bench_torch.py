"""Measures the DLRM in PyTorch on a GPU, without TensorRT: the comparison's second row.

    python bench_torch.py --dense=64 --fields=32 --ids=10000 --width=64 --bottom=512,256 --top=1024,1024,512,256

Takes one line of JSON for each measurement on its standard input and answers with one line, the figures in the form
that `rankrt bench --json` writes them in:

    {"load": "closed", "inFlight": 10, "rows": 1, "seconds": 5}
    {"load": "open", "offeredPerSecond": 500, "rows": 1, "seconds": 2, "graceSeconds": 0.1}

The model runs eagerly in float32, as a service would that puts a module behind a thread pool: the inputs are copied to
the GPU, the scores back. Requests take turns, since Python runs one thread at a time and a second one only adds
switches; the time that a request waits for its turn is part of its latency.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import random
import sys
import time

PERCENTILES = (
    0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99,
    99.995, 99.999, 99.9999,
)  # fmt: skip
DRAWN_ROWS = 8192
SPIN_SECONDS = 1e-4


class Model:
    def __init__(self, arguments: argparse.Namespace) -> None:
        import torch

        from export_families import Dlrm, initialise

        if not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA GPU")
        self.torch = torch
        self.arguments = arguments
        torch.manual_seed(1)
        self.module = Dlrm(
            arguments.dense, arguments.fields, arguments.ids, arguments.width, arguments.bottom, arguments.top
        )
        initialise(self.module)
        self.module = self.module.eval().cuda()
        self.drawn: dict[int, list] = {}
        self.next = 0

    def requests(self, rows: int) -> list:
        if rows not in self.drawn:
            torch, drawn = self.torch, self.arguments
            self.drawn[rows] = [
                (torch.randn(rows, drawn.dense), torch.randint(0, drawn.ids, (rows, drawn.fields)))
                for _ in range(max(2, min(256, DRAWN_ROWS // rows)))
            ]
        return self.drawn[rows]

    def call(self, rows: int) -> None:
        requests = self.requests(rows)
        dense, ids = requests[self.next % len(requests)]
        self.next += 1
        with self.torch.inference_mode():
            self.module(dense.cuda(), ids.cuda()).cpu()


def closed(model: Model, in_flight: int, rows: int, seconds: float) -> dict:
    start = now = time.perf_counter()
    sent = collections.deque([start] * in_flight)
    latencies = []
    while now < start + seconds:
        began = sent.popleft()
        model.call(rows)
        now = time.perf_counter()
        latencies.append(now - began)
        sent.append(now)
    return figures("closed", in_flight, 0.0, rows, now - start, latencies, 0)


def open_loop(model: Model, per_second: float, rows: int, seconds: float, grace: float) -> dict:
    gaps = random.Random(per_second)
    start = time.perf_counter()
    end, deadline = start + seconds, start + seconds + grace
    latencies, unanswered = [], 0
    due = start + gaps.expovariate(per_second)
    while due < end:
        wait_until(due)
        if time.perf_counter() > deadline:
            unanswered += 1
        else:
            model.call(rows)
            latencies.append(time.perf_counter() - due)
        due += gaps.expovariate(per_second)
    taken = max(seconds, time.perf_counter() - start)
    return figures("open", 0, per_second, rows, taken, latencies, unanswered)


def wait_until(moment: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        if left > SPIN_SECONDS:
            time.sleep(left - SPIN_SECONDS)


def figures(
    load: str, in_flight: int, offered: float, rows: int, seconds: float, latencies: list[float], unanswered: int
) -> dict:
    micros = sorted(1e6 * latency for latency in latencies)
    samples = len(micros)
    everything = samples + unanswered

    def at(percentile: float) -> float | None:
        """As in Java: over all requests, and empty where less than one request decides."""
        rank = max(1, math.ceil(percentile / 100 * everything - 1e-9))
        decided = everything * (100 - percentile) / 100 >= 1 - 1e-9
        return micros[rank - 1] if decided and rank <= samples else None

    return {
        "load": load,
        "inFlight": in_flight,
        "offeredPerSecond": offered,
        "rows": rows,
        "seconds": seconds,
        "samples": samples,
        "unanswered": unanswered,
        "meanMicros": sum(micros) / samples if samples else 0.0,
        "p50Micros": at(50),
        "p99Micros": at(99),
        "p999Micros": at(99.9),
        "maxMicros": micros[-1] if samples else 0.0,
        "requestsPerSecond": samples / seconds,
        "rowsPerSecond": samples * rows / seconds,
        "distribution": [
            {"percentile": percentile, "micros": value}
            for percentile in PERCENTILES
            if (value := at(percentile)) is not None
        ],
        "gpu": None,
    }


def widths(text: str) -> list[int]:
    return [int(width) for width in text.split(",")]


def answer(line: dict) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("dense", "fields", "ids", "width"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("bottom", "top"):
        parser.add_argument(f"--{name}", type=widths, required=True)
    arguments = parser.parse_args()
    try:
        model = Model(arguments)
    except Exception as problem:  # whatever is missing is the answer
        answer({"error": f"{type(problem).__name__}: {problem}".splitlines()[0]})
        return
    torch = model.torch
    answer({"ready": f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}"})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["load"] == "closed":
                answer(closed(model, asked["inFlight"], asked["rows"], asked["seconds"]))
            else:
                answer(
                    open_loop(
                        model, asked["offeredPerSecond"], asked["rows"], asked["seconds"], asked["graceSeconds"]
                    )
                )
        except Exception as problem:
            answer({"error": f"{type(problem).__name__}: {problem}".splitlines()[0]})


if __name__ == "__main__":
    main()
