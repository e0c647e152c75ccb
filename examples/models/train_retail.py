"""Trains a small DLRM-style ranker on real orders and writes all that a service needs to use it.

    python train_retail.py --out retail

The model scores one (customer, product) pair at a time: how likely is it that this customer orders this product in
the next weeks. Everything about a customer and about a product sits in two tables of features, computed from what
happened before the cut-off, so that whoever has the tables can put together any pair.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import json
import os
import platform
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

# cuBLAS adds up in a fixed order only with a workspace of its own, and reads this when it is loaded.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import onnx_export  # noqa: E402

HERE = Path(__file__).resolve().parent

SEED = 20111114
CUT_OFF = date(2011, 11, 14)  # a Monday; the held-out part is this day and the 25 after it

# A training example pairs what was known on some day with what was ordered in the WINDOW days after it. Windows start
# every STRIDE days, so a purchase is seen from two such days: fresh features and older ones, as in the held-out part.
WINDOW = 28
STRIDE = 14

NEGATIVES = 4  # per purchase, in training; drawn anew in every epoch
HELD_OUT_NEGATIVES = 5

ANONYMOUS = 0  # the customer index of orders that carry no customer id
MONTHS = 12
WEEKDAYS = 7

# Stock codes that stand for a charge, a discount or a correction. They keep an index, since the file sells them, but
# nobody wants "POSTAGE" recommended: they are never positives.
CHARGES = frozenset({"AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "POST", "S"})

IDS = ["customer", "product", "country", "month", "weekday"]
PRODUCT_FEATURES = [
    "p_log_price",
    "p_log_quantity",
    "p_log_sales",
    "p_log_sales_28d",
    "p_log_sales_7d",
    "p_trend",
    "p_log_days_since_sale",
    "p_log_days_on_sale",
    "p_log_buyers",
    "p_anonymous_share",
    "p_never_sold",
]
CUSTOMER_FEATURES = [
    "c_log_orders",
    "c_log_lines",
    "c_log_lines_28d",
    "c_log_order_value",
    "c_log_price_paid",
    "c_log_quantity",
    "c_log_days_since_order",
    "c_log_days_known",
    "c_log_popularity_bought",
    "c_no_orders",
]
DENSE = PRODUCT_FEATURES + CUSTOMER_FEATURES


@dataclasses.dataclass(frozen=True)
class Sales:
    """The purchases of the file, as columns in time order."""

    day: np.ndarray  # ordinal of the date
    order: np.ndarray
    customer: np.ndarray
    product: np.ndarray
    country: np.ndarray
    quantity: np.ndarray
    price: np.ndarray

    def select(self, rows: np.ndarray) -> Sales:
        return Sales(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def between(self, start: int, end: int) -> Sales:
        return self.select((self.day >= start) & (self.day < end))


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """What each index means; an index is a position in the list."""

    customers: list[str]
    products: list[str]
    descriptions: list[str]
    countries: list[str]
    home: np.ndarray  # country index of each customer


@dataclasses.dataclass(frozen=True)
class Rows:
    """Examples: ids and labels, and which snapshot of the feature tables each belongs to."""

    ids: np.ndarray  # int64 [rows, 5]
    snapshot: np.ndarray  # int64 [rows]
    label: np.ndarray  # float32 [rows]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the validation window was used to choose by hand."""

    width: int = 32
    dropout: float = 0.2
    learning_rate: float = 2e-3
    id_decay: float = 2e-4
    batch: int = 4096
    max_epochs: int = 20
    patience: int = 4
    averaged_epochs: int = 3


# --------------------------------------------------------------------------------------------------- reading the orders


def read(path: Path, cut_off: int) -> tuple[Sales, Vocabulary, dict[str, int]]:
    """Reads the file; customers get an index when they bought something before the cut-off, products always."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))

    def is_sale(line: dict[str, str]) -> bool:
        return (
            not line["InvoiceNo"].startswith("C") and int(line["Quantity"]) > 0 and float(line["UnitPrice"]) > 0
        )

    sales = [line for line in lines if is_sale(line)]
    products = sorted({line["StockCode"] for line in lines})
    countries = sorted({line["Country"] for line in lines})
    lived_in: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in sales:
        if line["CustomerID"] and date.fromisoformat(line["InvoiceDate"][:10]).toordinal() < cut_off:
            lived_in[line["CustomerID"]][line["Country"]] += 1
    customers = [""] + sorted(lived_in)
    home = ["Unspecified"] + [lived_in[customer].most_common(1)[0][0] for customer in customers[1:]]

    # Corrections of the stock carry remarks such as "damaged" in the place of a description, hence sales first.
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        name = " ".join(line["Description"].split())
        if name:
            names[line["StockCode"]][name] += 1000 if is_sale(line) else 1
    descriptions = [names[code].most_common(1)[0][0] if names[code] else "(no description)" for code in products]

    customer_index = {customer: index for index, customer in enumerate(customers)}
    product_index = {code: index for index, code in enumerate(products)}
    country_index = {country: index for index, country in enumerate(countries)}
    # Customers who first bought after the cut-off have no index: nothing was known about them.
    known = [line for line in sales if line["CustomerID"] in customer_index]
    order_index = {order: index for index, order in enumerate(dict.fromkeys(line["InvoiceNo"] for line in known))}
    columns = Sales(
        day=np.array([date.fromisoformat(line["InvoiceDate"][:10]).toordinal() for line in known]),
        order=np.array([order_index[line["InvoiceNo"]] for line in known]),
        customer=np.array([customer_index[line["CustomerID"]] for line in known]),
        product=np.array([product_index[line["StockCode"]] for line in known]),
        country=np.array([country_index[line["Country"]] for line in known]),
        quantity=np.array([int(line["Quantity"]) for line in known], dtype=np.float64),
        price=np.array([float(line["UnitPrice"]) for line in known]),
    )
    vocabulary = Vocabulary(
        customers, products, descriptions, countries, np.array([country_index[country] for country in home])
    )
    counts = {
        "lines": len(lines),
        "sales": len(sales),
        "sales_of_customers_first_seen_later": len(sales) - len(known),
        "customers": len(customers) - 1,
        "products": len(products),
        "countries": len(countries),
    }
    return columns, vocabulary, counts


# --------------------------------------------------------------------------------------------------------- the features


def mean_by(index: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """The mean of ``values`` per index; where there is none the mean over all, which says nothing either way."""
    count = np.bincount(index, minlength=size)
    total = np.bincount(index, weights=values, minlength=size)
    return np.where(count > 0, total / np.maximum(count, 1), values.mean() if len(values) else 0.0)


def features(sales: Sales, day: int, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """What was known about every product and every customer when ``day`` began, not yet standardised."""
    past = sales.select(sales.day < day)
    span = max(day - int(sales.day[0]), WINDOW)
    weeks4 = past.day >= day - 28
    known = past.customer != ANONYMOUS

    def ago(index: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Days since the last and since the first event; a whole year where there was none."""
        last, first = np.full(size, -365), np.full(size, -365)
        last[index] = past.day - day  # events are in time order, and the last assignment wins
        first[index[::-1]] = past.day[::-1] - day
        return np.log1p(-last), np.log1p(-first)

    size = len(vocabulary.products)
    # Counts are per four weeks, since a snapshot late in the year has seen more of it than an early one.
    per_window = WINDOW / span
    sold = np.bincount(past.product, minlength=size)
    sold_28d = np.bincount(past.product[weeks4], minlength=size)
    sold_7d = np.bincount(past.product[past.day >= day - 7], minlength=size)
    pairs = np.unique(past.customer[known] * size + past.product[known])
    buyers = np.bincount(pairs % size, minlength=size)
    since_sale, on_sale = ago(past.product, size)
    popularity = np.log1p(sold * per_window)
    products = np.stack([
        mean_by(past.product, np.log(past.price), size),
        mean_by(past.product, np.log(past.quantity), size),
        popularity,
        np.log1p(sold_28d),
        np.log1p(sold_7d),
        np.log1p(sold_28d) - popularity,
        since_sale,
        on_sale,
        np.log1p(buyers * per_window),
        mean_by(past.product, (~known).astype(np.float64), size),
        (sold == 0).astype(np.float64),
    ], axis=1)

    size = len(vocabulary.customers)
    lines = np.bincount(past.customer, minlength=size)
    owner = dict(zip(past.order.tolist(), past.customer.tolist()))
    owners = np.array(list(owner.values()), dtype=np.int64)
    orders = np.bincount(owners, minlength=size)
    value = np.bincount(past.order, weights=past.price * past.quantity, minlength=1)
    value = value[list(owner)] if owner else np.zeros(0)
    since_order, days_known = ago(past.customer, size)
    customers = np.stack([
        np.log1p(orders * per_window),
        np.log1p(lines * per_window),
        np.log1p(np.bincount(past.customer[weeks4], minlength=size)),
        mean_by(owners, np.log1p(value), size),
        mean_by(past.customer, np.log(past.price), size),
        mean_by(past.customer, np.log(past.quantity), size),
        since_order,
        days_known,
        mean_by(past.customer, popularity[past.product], size),
        (lines == 0).astype(np.float64),
    ], axis=1)
    # The anonymous are many, not one very good customer: to the model they are somebody without a history.
    customers[ANONYMOUS] = np.median(customers[1:], axis=0)
    customers[ANONYMOUS, -1] = 1.0
    return products, customers


def standardise(tables: Sequence[np.ndarray], fit: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Mean 0 and deviation 1 over ``fit``; clipped, so that no single oddity drives the network."""
    stacked = np.concatenate(list(fit))
    mean, deviation = stacked.mean(axis=0), stacked.std(axis=0)
    deviation[deviation < 1e-6] = 1.0  # a flag that nobody in ``fit`` has stays 0 or 1
    # Rounded as it is printed: what the network is trained with is what the committed tables say.
    return [np.round(np.clip((table - mean) / deviation, -4, 4), 4).astype(np.float32) for table in tables]


# --------------------------------------------------------------------------------------------------------- the examples


def positives(sales: Sales, vocabulary: Vocabulary) -> np.ndarray:
    """The ids of what was bought: each pair of customer and product once, at its first time."""
    charges = [index for index, code in enumerate(vocabulary.products) if code in CHARGES]
    goods = sales.select(~np.isin(sales.product, charges))
    pair = goods.customer * len(vocabulary.products) + goods.product
    _, first = np.unique(pair, return_index=True)
    # All anonymous orders share one index; theirs are different people, and each purchase counts.
    rows = np.union1d(first, np.flatnonzero(goods.customer == ANONYMOUS))
    goods = goods.select(rows)
    dates = [date.fromordinal(int(day)) for day in goods.day]
    return np.stack([
        goods.customer,
        goods.product,
        np.where(goods.customer == ANONYMOUS, goods.country, vocabulary.home[goods.customer]),
        [day.month - 1 for day in dates],
        [day.weekday() for day in dates],
    ], axis=1).astype(np.int64)


def with_negatives(
    bought: np.ndarray, products: int, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Adds ``count`` rows per purchase: same customer and day, a product that this customer did not buy then."""
    negative = np.repeat(bought, count, axis=0)
    negative[:, 1] = random.integers(0, products, len(negative))
    taken = np.unique(bought[:, 0] * products + bought[:, 1])
    while True:
        wrong = np.flatnonzero(
            np.isin(negative[:, 0] * products + negative[:, 1], taken) & (negative[:, 0] != ANONYMOUS)
        )
        if not len(wrong):
            break
        negative[wrong, 1] = random.integers(0, products, len(wrong))
    label = np.concatenate([np.ones(len(bought)), np.zeros(len(negative))])
    return np.concatenate([bought, negative]), label.astype(np.float32)


def draw(windows: Sequence[tuple[int, np.ndarray]], products: int, random: np.random.Generator) -> Rows:
    """One epoch's examples over all windows (snapshot, purchases), shuffled."""
    drawn = [with_negatives(bought, products, NEGATIVES, random) for _, bought in windows]
    ids = np.concatenate([ids for ids, _ in drawn])
    label = np.concatenate([label for _, label in drawn])
    snapshot = np.concatenate([np.full(len(ids), index) for (index, _), (ids, _) in zip(windows, drawn)])
    order = random.permutation(len(ids))
    return Rows(ids[order], snapshot[order], label[order])


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """The chance that a positive is scored above a negative, ties counting half."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
    ones = label > 0.5
    n, m = int(ones.sum()), int((~ones).sum())
    return float((rank[ones].sum() - n * (n + 1) / 2) / (n * m))


# ------------------------------------------------------------------------------------------------------------ the model


class Ranker(nn.Module):
    """DLRM in small: embeddings and the dense part's vector, their dot products, and a network on top."""

    def __init__(self, sizes: Sequence[int], dense: int, settings: Settings) -> None:
        super().__init__()
        width = settings.width
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        for table in self.tables:
            # Small: an id that training never showed (a product never sold, a new month) should say next to nothing.
            nn.init.normal_(table.weight, std=0.05)
        self.drop = nn.Dropout(settings.dropout)
        self.bottom = nn.Sequential(nn.Linear(dense, 64), nn.ReLU(), nn.Linear(64, width), nn.ReLU())
        vectors = len(sizes) + 1
        self.flat, self.square = vectors * width, vectors * vectors
        rows, columns = np.tril_indices(vectors, -1)
        self.register_buffer("pairs", torch.from_numpy(rows * vectors + columns), persistent=False)
        self.top = nn.Sequential(
            nn.Linear(len(rows) + self.flat, 64),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 1),
        )

    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        vectors = [self.drop(table(ids[:, field : field + 1])) for field, table in enumerate(self.tables)]
        stacked = torch.cat([self.bottom(dense).unsqueeze(1), *vectors], dim=1)
        # view() with constants, not flatten(): it exports to a plain Reshape for every batch.
        dots = torch.bmm(stacked, stacked.transpose(1, 2)).view(-1, self.square).index_select(1, self.pairs)
        return torch.sigmoid(self.top(torch.cat([stacked.view(-1, self.flat), dots], dim=1)))


def described(vocabulary: Vocabulary, width: int, deviation: float = 0.2) -> torch.Tensor:
    """Where products' vectors start: near those whose descriptions share words, with the rare words counting most.

    Most products are sold too rarely to find a place of their own by training alone.
    """
    words = [set(re.findall(r"[A-Z]{3,}", description.upper())) for description in vocabulary.descriptions]
    count = Counter(word for found in words for word in found)
    column = {word: index for index, word in enumerate(sorted(word for word in count if count[word] > 1))}
    weights = np.zeros((len(words), len(column)))
    for row, found in enumerate(words):
        for word in found & column.keys():
            weights[row, column[word]] = np.log(len(words) / count[word])
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9)
    _, directions = np.linalg.eigh(weights.T @ weights)  # in ascending order of what they explain
    vectors = weights @ directions[:, -width:]
    return torch.from_numpy((vectors * deviation / vectors.std()).astype(np.float32))


class Trainer:
    """Holds the feature tables of all snapshots on one device and fits rankers with them."""

    def __init__(
        self, vocabulary: Vocabulary, products: Sequence[np.ndarray], customers: Sequence[np.ndarray],
        device: torch.device, settings: Settings,
    ) -> None:
        self.device = device
        self.settings = settings
        self.products = torch.from_numpy(np.stack(products)).to(device)
        self.customers = torch.from_numpy(np.stack(customers)).to(device)
        self.start = described(vocabulary, settings.width)
        self.sizes = [
            len(vocabulary.customers), len(vocabulary.products), len(vocabulary.countries), MONTHS, WEEKDAYS,
        ]

    def dense(self, ids: torch.Tensor, snapshot: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.products[snapshot, ids[:, 1]], self.customers[snapshot, ids[:, 0]]], dim=1)

    def epochs(self, windows: Sequence[tuple[int, np.ndarray]], seed: int) -> Iterator[tuple[float, nn.Module]]:
        """Trains on and on; after every epoch, its loss and the mean of the last few epochs' weights."""
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        model = Ranker(self.sizes, len(DENSE), self.settings)
        model.tables[IDS.index("product")].weight.data.copy_(self.start)
        model.to(self.device)
        # Most customers have a handful of purchases: without decay their vectors learn them by heart.
        optimizer = torch.optim.Adam([
            {"params": model.tables.parameters(), "weight_decay": self.settings.id_decay},
            {"params": [*model.bottom.parameters(), *model.top.parameters()], "weight_decay": 1e-5},
        ], lr=self.settings.learning_rate)
        recent: list[dict[str, torch.Tensor]] = []
        while True:
            model.train()
            rows = draw(windows, self.sizes[1], random)
            ids = torch.from_numpy(rows.ids).to(self.device)
            snapshot = torch.from_numpy(rows.snapshot).to(self.device)
            label = torch.from_numpy(rows.label).to(self.device)
            total = torch.zeros((), device=self.device)
            for start in range(0, len(ids), self.settings.batch):
                part = slice(start, start + self.settings.batch)
                score = model(self.dense(ids[part], snapshot[part]), ids[part])
                loss = nn.functional.binary_cross_entropy(score.squeeze(1), label[part])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(ids[part])
            recent.append({name: value.detach().clone() for name, value in model.state_dict().items()})
            recent = recent[-self.settings.averaged_epochs:]
            mean = copy.deepcopy(model)
            mean.load_state_dict({name: torch.stack([w[name] for w in recent]).mean(0) for name in recent[0]})
            yield float(total) / len(ids), mean.eval()

    @torch.no_grad()
    def score(self, model: nn.Module, ids: np.ndarray, snapshot: int) -> np.ndarray:
        """Scores in float64 of the float32 weights and inputs: what every float32 engine comes near to."""
        tensor = torch.from_numpy(ids).to(self.device)
        dense = self.dense(tensor, torch.full((len(ids),), snapshot, device=self.device))
        exact = copy.deepcopy(model).double().eval()
        return exact(dense.double(), tensor).squeeze(1).cpu().numpy()


# ---------------------------------------------------------------------------------------------------------- the results


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.4f}" for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE / "data" / "online-retail.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    began = time.monotonic()
    settings = Settings()
    torch.use_deterministic_algorithms(True, warn_only=True)

    cut_off = CUT_OFF.toordinal()
    sales, vocabulary, counts = read(arguments.data, cut_off)
    products = len(vocabulary.products)
    print(counts)

    # Snapshots step back from the cut-off. The first ones have little or no history to offer; they are kept, since
    # theirs is the only December that there is to learn from.
    starts = list(range(cut_off, int(sales.day[0]) - STRIDE, -STRIDE))
    raw = [features(sales, day, vocabulary) for day in starts]
    product_tables = standardise([product for product, _ in raw], [product for product, _ in raw])
    customer_tables = standardise(
        [customer for _, customer in raw],
        # A customer is of no interest to a snapshot before the first order.
        [customer[customer[:, -1] < 0.5] for _, customer in raw],
    )
    trainer = Trainer(vocabulary, product_tables, customer_tables, torch.device(arguments.device), settings)

    def windows(end: int) -> list[tuple[int, np.ndarray]]:
        return [
            (index, positives(sales.between(day, min(day + WINDOW, end)), vocabulary))
            for index, day in enumerate(starts)
            if day < end
        ]

    # How long to train is chosen on the last window before the cut-off, by a model that never saw it; then a second
    # model is trained for as long on everything before the cut-off.
    validation_start = cut_off - WINDOW
    validation_snapshot = starts.index(validation_start)
    bought = positives(sales.between(validation_start, cut_off), vocabulary)
    bought = bought[bought[:, 0] != ANONYMOUS]
    check_ids, check_label = with_negatives(bought, products, HELD_OUT_NEGATIVES, np.random.default_rng(1))
    validation: list[float] = []
    for epoch, (loss, model) in enumerate(trainer.epochs(windows(validation_start), arguments.seed), start=1):
        value = auc(check_label, trainer.score(model, check_ids, validation_snapshot))
        print(f"epoch {epoch:2d}  loss {loss:.4f}  validation AUC {value:.4f}  {time.monotonic() - began:.0f} s")
        validation.append(value)
        if epoch == settings.max_epochs or epoch - int(np.argmax(validation)) > settings.patience:
            break
    epochs = 1 + int(np.argmax(validation))
    for epoch, (loss, model) in enumerate(trainer.epochs(windows(cut_off), arguments.seed), start=1):
        print(f"final epoch {epoch:2d}  loss {loss:.4f}  {time.monotonic() - began:.0f} s")
        if epoch == epochs:
            break

    # The held-out part, first looked at here. Snapshot 0 is the day of the cut-off.
    bought = positives(sales.select(sales.day >= cut_off), vocabulary)
    bought = bought[bought[:, 0] != ANONYMOUS]
    ids, label = with_negatives(bought, products, HELD_OUT_NEGATIVES, np.random.default_rng(2))
    order = np.lexsort((ids[:, 1], -label, ids[:, 0]))
    ids, label = ids[order], label[order]
    score = trainer.score(model, ids, 0)
    past = sales.select(sales.day < cut_off)
    popularity = np.bincount(past.product, minlength=products)
    recent = np.bincount(past.product[past.day >= cut_off - 28], minlength=products)
    result = {
        "auc": round(auc(label, score), 4),
        "auc_popularity": round(auc(label, popularity[ids[:, 1]]), 4),
        "auc_popularity_last_28_days": round(auc(label, recent[ids[:, 1]]), 4),
    }
    print(result)

    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    dense = np.concatenate([product_tables[0][ids[:, 1]], customer_tables[0][ids[:, 0]]], axis=1)
    path = out / "ranker.onnx"
    model = model.cpu()
    onnx_export.export(
        model, {"dense": torch.from_numpy(dense[:8]), "ids": torch.from_numpy(ids[:8])}, ["score"], path
    )
    worst = onnx_export.verify(path, {"dense": dense, "ids": ids}, {"score": score[:, None]})
    print(f"ONNX Runtime agrees to {worst:.2g}")

    write_csv(
        out / "products.csv",
        # The description last, so that a reader that knows the number of columns needs no real CSV parser.
        ["index", "stock_code", "sold_before", *PRODUCT_FEATURES, "description"],
        (
            [index, code, popularity[index], *numbers(product_tables[0][index]), vocabulary.descriptions[index]]
            for index, code in enumerate(vocabulary.products)
        ),
    )
    write_csv(
        out / "customers.csv",
        ["index", "customer_id", "country", *CUSTOMER_FEATURES],
        (
            [index, customer, vocabulary.home[index], *numbers(customer_tables[0][index])]
            for index, customer in enumerate(vocabulary.customers)
        ),
    )
    write_csv(out / "countries.csv", ["index", "country"], enumerate(vocabulary.countries))
    write_csv(
        out / "heldout.csv",
        ["customer", "product", "month", "weekday", "label", "score", "popularity"],
        (
            [row[0], row[1], row[3], row[4], int(label[i]), f"{score[i]:.9g}", popularity[row[1]]]
            for i, row in enumerate(ids.tolist())
        ),
    )
    report = {
        **result,
        "auc_validation": round(validation[epochs - 1], 4),
        "epochs": epochs,
        "cut_off": CUT_OFF.isoformat(),
        "held_out_until": date.fromordinal(int(sales.day[-1])).isoformat(),
        "held_out": {
            "rows": len(ids),
            "positives": int(label.sum()),
            "negatives_per_positive": HELD_OUT_NEGATIVES,
            "customers": len(np.unique(ids[:, 0])),
        },
        "counts": counts,
        "inputs": {
            "ids": {
                "type": "int64",
                "columns": IDS,
                "customer": "index in customers.csv; 0 is an order without a customer id",
                "product": "index in products.csv",
                "country": "index in countries.csv",
                "month": "0 is January",
                "weekday": "0 is Monday",
            },
            "dense": {
                "type": "float32",
                "columns": DENSE,
                "meaning": "the product's features, then the customer's, from the tables as they are",
            },
        },
        "output": {"score": "float32 [batch, 1], a probability"},
        "onnx_runtime_difference": float(f"{worst:.2g}"),
        "seed": arguments.seed,
        "settings": dataclasses.asdict(settings),
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "CPU",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "numpy": np.__version__,
        },
        "data": "D. Chen, Online Retail, UCI Machine Learning Repository, 2015, doi 10.24432/C5BW33, CC BY 4.0",
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f"{out}: {size / 1e6:.2f} MB, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
