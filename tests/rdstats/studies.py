"""Simulated studies whose networks are drawn image by image, with known effects of compression."""

import numpy as np

import rdstats

DIMS = ("seed", "dataset", "arch", "method", "ratio")
PLACES = (("digits", "lenet"),)


def make_study(
    arms, *, places=PLACES, seeds=6, ratios=(2, 4), images=60, classes=5, keep="both", deviation=0.3, noise=0.03,
    agree=0.9, collapse=(), missing=(), achieved=None, ids=True, variables=None, rng=0, attrs=None, **options,
):  # fmt: skip
    """Build a cube of networks that were drawn image by image.

    Parameters
    ----------
    arms : method -> factor of the classes' deviations from the mean recall, one or one a ratio; controls have ratio 1.
    places : (dataset, arch) pairs of the grid.
    images : test images of a class, one number or one a class.
    keep : ``matrices``, ``both`` (with both_correct) or ``predictions`` (with those, too).
    deviation : half the range of the recalls of dense networks, 0 for classes that are equally hard.
    noise : standard deviation between training runs of the recalls of a class.
    agree : share of the images on which chance decides alike before and after.
    collapse : (seed, method, ratio) of networks that see one class everywhere.
    missing : (seed, method, ratio) that were planned and not finished.
    achieved : factor of the achieved ratios, one a method.
    ids : whether there is a dense_id.
    attrs : of the cube; default: as if a grid of ours had made it.
    """
    rng = np.random.default_rng(rng)
    datasets, archs = (list(dict.fromkeys(names)) for names in zip(*places, strict=True))
    controls = [m for m in arms if m.startswith("sham")]
    axis = [*([1.0] if controls else []), *map(float, ratios)]
    coords = dict(zip(DIMS, (list(range(seeds)), datasets, archs, list(arms), axis), strict=True))
    shape = tuple(map(len, coords.values()))
    sizes = np.broadcast_to(images, classes)
    label = np.repeat(np.arange(classes), sizes)
    pattern = deviation * np.linspace(1, -1, classes)
    before = np.full((*shape[:3], label.size), np.nan)
    after, status = np.full((*shape, label.size), np.nan), np.full(shape, np.nan)

    def shown(recall, luck):
        wrong = (label + 1 + rng.integers(0, classes - 1, label.size)) % classes
        return np.where(luck < np.clip(recall, 0.02, 0.98)[label], label, wrong)

    for seed in range(seeds):
        for dataset, arch in places:
            at = seed, datasets.index(dataset), archs.index(arch)
            own, luck = pattern + rng.normal(0, noise, classes), rng.random(label.size)
            before[at] = shown(0.65 + own, luck)
            for i, (method, factors) in enumerate(arms.items()):
                planned = [1.0] if method in controls else [float(r) for r in ratios]
                for ratio, factor in zip(planned, np.broadcast_to(factors, len(planned)), strict=True):
                    cell = (*at, i, axis.index(ratio))
                    status[cell] = (seed, method, ratio) not in missing
                    again = np.where(rng.random(label.size) < agree, luck, rng.random(label.size))
                    found = shown(0.6 + factor * own + rng.normal(0, noise / 3, classes), again)
                    after[cell] = 0 if (seed, method, ratio) in collapse else found
                    if not status[cell]:
                        after[cell] = np.nan

    def matrices(values):
        result = np.full((*values.shape[:-1], classes, classes), np.nan)
        for index in np.argwhere(~np.isnan(values[..., 0])):
            pairs = label * classes + values[tuple(index)].astype(int)
            result[tuple(index)] = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        return result

    more = {"status": (DIMS, status), **(variables or {})}
    if achieved is not None:
        factors = np.array([achieved.get(method, 1) for method in arms])[:, None]
        more["achieved_ratio"] = (DIMS, np.where(status == 1, factors * np.array(axis), np.nan))
    if ids:
        names = [[[f"{s}-{d}-{a}" for a in archs] for d in datasets] for s in range(seeds)]
        more["dense_id"] = (DIMS[:3], np.array(names, object))
    if keep != "matrices":
        right = ((before[:, :, :, None, None] == label) & (after == label)).astype(float)
        both = np.stack([right[..., label == c].sum(-1) for c in range(classes)], -1)
        more["both_correct"] = ((*DIMS, "true_class"), np.where(np.isnan(after[..., :1]), np.nan, both))
    if keep == "predictions":
        more |= {
            "label": (("sample",), label.astype(float)),
            "prediction_dense": ((*DIMS[:3], "sample"), before),
            "prediction": ((*DIMS, "sample"), after),
        }
    attrs = {"source": "rdcompute"} | (attrs or {})
    return rdstats.build(
        matrices(before), matrices(after), dims=DIMS, coords=coords, variables=more, attrs=attrs, **options
    )  # fmt: skip
