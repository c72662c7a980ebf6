"""Cubes for the labelled statistics: random ones of every shape, and ones with slopes that are known beforehand."""

import numpy as np
import pytest

from rdstats.cube import build

SUPPORT = np.array([40, 50, 60, 45])
LABELS = {
    "seed": [3, 1, 7, 4],
    "dataset": ["tri", "four"],
    "method": ["sham", "mp"],
    "ratio": [1.0, 2.0, 4.0],
    "fold": ["x", "y"],
}
VARIANTS = {
    "full": ("seed", "dataset", "method", "ratio"),
    "no status": ("seed", "dataset", "method", "ratio"),
    "other order": ("ratio", "dataset", "seed", "method"),
    "no seed": ("dataset", "method", "ratio"),
    "no ratio": ("seed", "method"),
    "no method": ("seed", "dataset", "ratio"),
    "fold": ("fold", "seed"),
    "pair": (),
}


def random_cube(variant):
    """Return a cube of up to four classes: the dataset "tri" has three, one cell is missing, one class undefined."""
    dims = VARIANTS[variant]
    rng = np.random.default_rng(17)
    shape = tuple(len(LABELS[d]) for d in dims)
    dense_dims = tuple(d for d in dims if d not in ("method", "ratio"))
    dense_shape = tuple(len(LABELS[d]) for d in dense_dims)

    def matrices(shape, right):
        p = np.full((4, 4), (1 - right) / 3) + np.eye(4) * (right - (1 - right) / 3)
        p += np.diag([0.06, -0.08, 0.02, 0.0])
        p /= p.sum(-1, keepdims=True)
        return rng.multinomial(SUPPORT, p, (*shape, 4)).astype(float)

    before, after = matrices(dense_shape, 0.8), matrices(shape, 0.7)
    for leading, array in ((dense_dims, before), (dims, after)):
        if "dataset" in leading:
            tri = [0 if d == "dataset" else slice(None) for d in leading]
            array[(*tri, slice(None), 3)] = np.nan
            array[(*tri, 3)] = np.nan
            for c in range(3):  # same support in every cell
                row = array[(*tri, c)]
                row[..., c] += SUPPORT[c] - np.nansum(row, -1)
    missing = {"seed": 2, "dataset": 1, "method": 1, "ratio": 2, "fold": 1}
    variables = {}
    if dims:
        gone = tuple(missing[d] for d in dims)
        after[gone] = np.nan
        if variant not in ("no status", "fold"):
            status = np.ones(shape)
            status[gone] = 2
            if "method" in dims and "ratio" in dims:
                ratio, method = dims.index("ratio"), dims.index("method")
                for index in np.ndindex(*shape):
                    if (index[method] == 0) != (index[ratio] == 0):
                        status[index], after[index] = np.nan, np.nan
            variables["status"] = (dims, status)
    undefined = tuple({"seed": 0, "dataset": 1, "method": 1, "ratio": 1, "fold": 0}[d] for d in dims)
    after[(*undefined, slice(None), 0)] += after[(*undefined, slice(None), 2)]
    after[(*undefined, slice(None), 2)] = 0
    coords = {d: LABELS[d] for d in dims}
    return build(before, after, dims=dims, dims_dense=dense_dims, coords=coords, variables=variables)


BEFORE = np.array([0.5, 0.65, 0.8, 0.65]) + np.array([0.02, -0.02, 0.02, -0.02])
N = 3 * 10**7


def matrices_of(recall):
    """Return confusion matrices of N images a class with the given recalls, errors spread evenly."""
    recall = np.asarray(recall)
    right = np.rint(N / 3 * recall) * 3  # whole numbers, so that the supports are equal to the last image
    wrong = (N - right) / 3
    return wrong[..., None] * (1 - np.eye(4)) + right[..., None] * np.eye(4)


def designed_cube(slope, spread=None, *, dims=("seed", "method", "ratio"), jitter=0.0, **options):
    """Return a cube whose networks have the given slopes and spread ratios (default: the slopes'), to 1e-6.

    Accuracy stays; balances are those before times the slope plus a part at right angles to them.
    """
    slope = np.asarray(slope, float)
    spread = np.abs(slope) if spread is None else np.asarray(spread, float)
    before = np.broadcast_to(BEFORE, (*(n for n, d in zip(slope.shape, dims, strict=True) if d == "seed"), 4)).copy()
    before += jitter * np.arange(len(before))[:, None] * np.array([1, -1, 1, -1])
    mean = before.mean(-1, keepdims=True)
    balance = before - mean
    right_angle = np.array([1.0, 1.0, 1.0, -3.0])
    right_angle = right_angle - balance * (balance @ right_angle / (balance**2).sum(-1))[:, None]
    right_angle *= np.sqrt((balance**2).sum(-1) / (right_angle**2).sum(-1))[:, None]
    at = dims.index("seed")

    def along(values):
        return np.expand_dims(values, [i for i in range(len(dims)) if i != at])

    turned = np.sqrt(np.maximum(spread**2 - slope**2, 0))
    after = along(mean) + slope[..., None] * along(balance) + turned[..., None] * along(right_angle)
    after = np.where(np.isnan(slope)[..., None], 0.5, after)
    counts = np.where(np.isnan(slope)[..., None, None], np.nan, matrices_of(after))
    return build(matrices_of(before), counts, dims=dims, dims_dense=("seed",), **options)


@pytest.fixture(scope="session")
def cubes():
    """Return every variant by name; do not change them."""
    return {name: random_cube(name) for name in VARIANTS}


@pytest.fixture(scope="session")
def designed():
    """Return `designed_cube`."""
    return designed_cube


SETS = {"tri": (60, 40, 50), "four": (45, 30, 60, 55)}
PREDICTED_DIMS = {
    "full": ("seed", "dataset", "method", "ratio"),
    "other order": ("ratio", "dataset", "seed", "method"),
    "no seed": ("dataset", "method", "ratio"),
    "no dataset": ("seed", "ratio"),
    "pair": (),
}


def predicted_cube(dims, *, easy=(0.95, 0.6, 0.8, 0.45), change=0.15, n_seeds=4, scale=1, noise=0):
    """Return a cube with the predictions of every network; "tri" has three classes and fewer images.

    Compression redraws a share `change` of the predictions. With methods and ratios there is one missing cell and
    a grid: sham at ratio 1, mp at 2 and 4.
    """
    labels = LABELS | {"seed": list(range(10, 10 + n_seeds))}
    rng = np.random.default_rng([23, noise])
    shape = tuple(len(labels[d]) for d in dims)
    sets = {name: np.repeat(np.arange(len(sizes)), np.array(sizes) * scale) for name, sizes in SETS.items()}
    sets = sets if "dataset" in dims else {"": sets["four"]}
    images = max(map(len, sets.values()))
    truth = np.full((len(sets), images), np.nan)
    for row, own in zip(truth, sets.values(), strict=True):
        row[: len(own)] = rng.permutation(own)

    def network(which, start=None):
        own = truth[which]
        n = 4 if np.nanmax(own) == 3 else 3
        known = np.nan_to_num(own).astype(int)
        wrong = rng.choice(n, images, p=np.arange(1, n + 1) / np.arange(1, n + 1).sum())
        shown = np.where(rng.random(images) < np.array(easy)[known], known, wrong).astype(float)
        if start is not None:
            shown = np.where(rng.random(images) < change, shown, start)
        return np.where(np.isnan(own), np.nan, shown)

    dense_dims = tuple(d for d in dims if d not in ("method", "ratio"))
    before = np.full((*(len(labels[d]) for d in dense_dims), images), np.nan)
    for index in np.ndindex(before.shape[:-1]):
        before[index] = network(index[dense_dims.index("dataset")] if "dataset" in dims else 0)
    after, status = np.full((*shape, images), np.nan), np.full(shape, np.nan)
    for index in np.ndindex(*shape):
        at = dict(zip(dims, index, strict=True))
        if "method" in at and (at["method"] == 0) != (at["ratio"] == 0):
            continue  # not in the grid
        status[index] = 1
        start = before[tuple(at[d] for d in dense_dims)]
        after[index] = network(at.get("dataset", 0), start)
    variables = {}
    if "method" in dims:
        gone = tuple({"seed": 2, "dataset": 1, "method": 1, "ratio": 2}[d] for d in dims)
        status[gone] = 2
        variables["status"] = (dims, status)  # its predictions stay: a cell that is not done is not read

    def matrices(shown, leading):
        result = np.full((*shown.shape[:-1], 4, 4), np.nan)
        for index in np.ndindex(shown.shape[:-1]):
            own = truth[index[leading.index("dataset")] if "dataset" in leading else 0]
            here = ~(np.isnan(own) | np.isnan(shown[index]))
            if here.any():
                n = int(np.nanmax(own)) + 1
                flat = own[here].astype(int) * n + shown[index][here].astype(int)
                result[(*index, slice(n), slice(n))] = np.bincount(flat, minlength=n * n).reshape(n, n)
        return result

    first = np.expand_dims(before, [i for i, d in enumerate(dims) if d not in dense_dims])
    own = np.expand_dims(truth, [i for i, d in enumerate(dims) if d != "dataset"]) if "dataset" in dims else truth[0]
    right = (first == own) & (after == own)
    counted = np.stack([(right & (own == c)).sum(-1) for c in range(4)], -1).astype(float)
    counted[np.isnan(after).all(-1)] = np.nan
    variables |= {
        "prediction_dense": ((*dense_dims, "sample"), before),
        "prediction": ((*dims, "sample"), after),
        "label": (("dataset", "sample"), truth) if "dataset" in dims else (("sample",), truth[0]),
        "both_correct": ((*dims, "true_class"), counted),
    }
    return build(
        matrices(before, dense_dims), matrices(after, dims), dims=dims, dims_dense=dense_dims,
        coords={d: labels[d] for d in dims}, variables=variables,
    )  # fmt: skip


@pytest.fixture(scope="session")
def predicted():
    """Return cubes with predictions by name; do not change them."""
    return {name: predicted_cube(dims) for name, dims in PREDICTED_DIMS.items()}


@pytest.fixture(scope="session")
def strong():
    """Return a cube whose test sets are large enough for single networks."""
    return predicted_cube(("seed", "method", "ratio"), scale=8, n_seeds=6)


@pytest.fixture(scope="session")
def make_predicted():
    return predicted_cube
