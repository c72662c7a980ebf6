"""Method and provenance: how the networks were made and how they were analysed, as a paper would say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rdstats._labelled import METHOD, RATIO, SEED, is_control
from rdstats._version import __version__
from rdstats._words import Words, words
from rdstats.analysis import Analysis, FamilyResult
from rdstats.degeneracy import RULES
from rdstats.records import control_records, sampling_records
from rdstats.report.phrases import join, span
from rdstats.report.provenance import json_object
from rdstats.tables.table import conditional, k_text, label, percent

METHODS = {
    "mp": "magnitude pruning",
    "gp": "gradient pruning: weight times gradient of the regularised loss",
    "up": "undecayed pruning: weight times gradient of the loss without weight decay",
    "rp": "random pruning",
    "lth": "iterative pruning with rewinding, lottery tickets",
    "chip": "channel pruning by independence",
    "gp-released": "gradient pruning as released: weight times gradient of the loss of one batch, without weight decay",
    "up-released": "undecayed pruning as released: a threshold among signed scores, which keeps more weights than the "
    "nominal ratio says",
    "up-released-abs": "undecayed pruning as released, but for a threshold among absolute scores",
    "rp-released": "random pruning as released: every weight by itself",
}
_ACCOUNTING = {
    "exact": "all parameters over those not masked",
    "shrinkbench": "all parameters over those not masked, biases counted as prunable but never masked",
}
_NOUNS = {"dataset": "data", "arch": "architecture"}
_PAIRS = {"dense_id": "the content of the dense network", "seed": "the label of the seed alone"}


def method_paragraphs(analysis: Analysis) -> list[str]:
    """Return how networks were trained and compressed, and how they were analysed, a paragraph each."""
    return [_training(analysis), _measures(analysis), _inference(analysis), *_families(analysis), _software(analysis)]


def _training(analysis: Analysis) -> str:
    attrs = analysis.counts.attrs
    training = _used(json_object(attrs.get("grid")))
    parts = [_what(analysis)]
    if isinstance(training, Mapping) and training:
        parts += _recipes(training, words(attrs))
    else:
        parts.append(
            "How the networks were trained is not recorded in the cube and has to be described from elsewhere."
        )
    if attrs.get("source") == "rdcompute":
        parts += _choice(training)
    return " ".join(parts)


def _used(grid: Mapping[str, Any]) -> Any:
    """Return the recipes of a grid without those of architectures that lottery tickets alone use."""
    training, experiments = grid.get("training"), grid.get("experiments")
    if not isinstance(training, Mapping) or not isinstance(experiments, list):
        return training
    lists = [(e.get("arch"), e.get("method")) for e in experiments if isinstance(e, Mapping)]
    pairs = [(arch, method) for archs, methods in lists for arch in archs or () for method in methods or ()]
    plain = {arch for arch, method in pairs if method not in ("lth", "sham-lth")}
    return {name: recipe for name, recipe in training.items() if name in plain or name not in dict(pairs)}


def _choice(training: Any) -> list[str]:
    """Return what chose the weights that were kept where a recipe does not say it, and what the test set was used for.
    """
    blocks = training.items() if isinstance(training, Mapping) else ()
    recipes = {name: recipe for name, recipe in blocks if isinstance(recipe, Mapping)}
    told = [_kept(recipe) != "" for recipe in recipes.values()]
    tested = [name for name, r in recipes.items() if r.get("validation") == "test" and r.get("keep") != "last"]
    parts = []
    if not told or not all(told):
        parts.append(
            f"{'Where nothing else is said, the' if any(told) else 'The'} weights of the epoch with the lowest loss on "
            "a fixed, stratified hold-out of the training set were kept."
        )
    if tested:
        parts.append(
            f"The test set chose the weights that were kept ({join(tested)}) and was used for the confusion matrices, "
            "too, so recalls and accuracies are optimistic there."
        )
    else:
        parts.append("The test set was used once, for the confusion matrices.")
    return parts


_RULES = {"best": "of the lowest loss", "released": "of the lowest loss within the last phase",
          "accuracy": "of the highest accuracy"}  # fmt: skip
_IMAGES = {"holdout": " on the hold-out", "test": " on the test set"}


def _kept(recipe: Mapping[str, Any]) -> str:
    """Return which weights a recipe keeps, "" where that is what most do: the lowest loss on the hold-out."""
    rule, images = str(recipe.get("keep", "best")), str(recipe.get("validation", ""))
    if rule == "last":
        return "the last weights kept"
    if rule == "best" and images in ("", "holdout"):
        return ""
    return f"the weights {_RULES.get(rule, rule)}{_IMAGES.get(images, '')} kept"


def _what(analysis: Analysis) -> str:
    """Return which networks there are: data sets, architectures, seeds, methods, ratios."""
    n = analysis.slopes.sizes.get(SEED, 1)
    where = "; ".join(
        f"{_NOUNS.get(dim, dim)}: {join([label(value) for value in analysis.summary[dim].values.tolist()])}"
        for dim in map(str, analysis.summary["mean"].dims)
        if dim not in (METHOD, RATIO) and dim in analysis.summary.coords
    )
    text = (
        f"{n} networks with different seeds of every configuration" if n > 1 else "One network of every configuration"
    )
    text += f" ({where})" if where else ""
    if METHOD in analysis.summary.coords:
        names = [str(name) for name in analysis.summary[METHOD].values.tolist()]
        compressed = [f"{name}{_described(name)}" for name in names if not is_control(name)]
        text += f" were compressed by {join(compressed)}" if compressed else " were trained"
        controls = [name for name in names if is_control(name)]
        text += f"; control: {join(controls)} ({words(analysis.counts.attrs).control})" if controls else ""
    else:
        text += " were compared before and after compression"
    if RATIO in analysis.summary.coords:
        ratios = [label(ratio) for ratio in analysis.summary[RATIO].values.tolist() if ratio != 1]
        text += f"; nominal compression ratios {join(ratios)}" if ratios else ""
    return f"{text}."


def _described(name: str) -> str:
    criterion, _, match = name.partition("@")
    base, sign, variant = criterion.partition("-")
    known = METHODS.get(criterion, "")
    if not known and (known := METHODS.get(base, "")):
        known += f", {variant.replace('-', ' ')}" if sign else ""
    parts = [known, f"with as many weights as {match} keeps" if match else ""]
    return f" ({'; '.join(filter(None, parts))})" if any(parts) else ""


def _recipes(training: Mapping[str, Any], own: Words) -> list[str]:
    """Return the recipe of every architecture; architectures with equal recipes together."""
    groups: dict[str, list[str]] = {}
    for arch, settings in training.items():
        text = _recipe(settings, own) if isinstance(settings, dict) else str(settings)
        groups.setdefault(text, []).append(str(arch))
    return [f"{join(archs)}: {text}." for text, archs in groups.items()]


def _recipe(settings: Mapping[str, Any], own: Words) -> str:
    nesterov = "Nesterov " if settings.get("nesterov") else ""
    parts = []
    if "momentum" in settings:
        parts.append(f"{nesterov}momentum {label(settings['momentum'])}")
    if "weight_decay" in settings:
        parts.append(f"weight decay {label(settings['weight_decay'])}")
    if "batch_size" in settings:
        parts.append(f"batches of {settings['batch_size']} images")
    text = f"stochastic gradient descent ({', '.join(parts)})" if parts else "settings not recorded"
    for key, told in (("train", "training for"), ("finetune", f"then, after {own.act}, {own.training} for")):
        if phases := settings.get(key):
            text += f", {told} {_phases(phases, str(settings.get('unit', 'epochs')))}"
    if settings.get("schedule") == "cosine":
        text += ", falling to 0 as half a cosine within each"
        text += f", after {warm} epochs of linear warm-up" if (warm := settings.get("warmup_epochs")) else ""
    if settings.get("renew_optimizer"):
        text += ", momentum forgotten at the beginning of each"
    if settings.get("validation") in ("none", "test"):
        text += ", on all training images"
    if kept := _kept(settings):
        text += f", {kept}"
    if fraction := settings.get("prune_fraction"):
        steps = settings.get("rewind_steps")
        text += f"; every level removes {percent(fraction)} of the weights that are left"
        text += f"{'' if settings.get('prune_head', True) else ', none of the head,'} and rewinds the others to "
        text += f"those after {steps} steps" if steps else "the first ones"
    if (fraction := settings.get("train_fraction", 1)) != 1:
        text += f", on a share of {label(fraction)} of the training set"
    if str(settings.get("augment", "")) not in ("", "auto"):
        text += f", augmentation {settings['augment']}"
    if accounting := settings.get("ratio_accounting"):
        text += f"; compression ratio: {_ACCOUNTING.get(str(accounting), str(accounting))}"
    return text


def _phases(phases: Any, unit: str = "epochs") -> str:
    """Return ``20 epochs at rate 0.02 and 10 at 0.002``."""
    try:
        texts = [
            f"{n:,g}{f' {unit} at learning rate' if i == 0 else ' at'} {rate:g}" for i, (n, rate) in enumerate(phases)
        ]
    except (TypeError, ValueError):
        return str(phases)
    return join(texts)


def _measures(analysis: Analysis) -> str:
    attrs = analysis.slopes.attrs
    measure = attrs["measure"]
    reference = "accuracy" if attrs["reference"] == "accuracy" and measure == "recall" else (
        f"the mean {measure} weighted by class size" if attrs["reference"] == "accuracy" else
        f"the plain mean of {measure} over classes"
    )  # fmt: skip
    smallest, largest = analysis.test_images_per_class
    images = f" ({span((smallest, largest))} test images per class)" if largest else ""
    return (
        f"For every network the {measure} of every class{images} minus {reference}, divided by {reference}, is its "
        "normalised balance B. The intensification slope is alpha = sum B B' / sum B^2 over the classes, B before and "
        "B' after compression; it is the product of the spread ratio |B'|/|B| and the cosine between B and B'. Beside "
        "it stands the slope expected from accuracy alone: that of one common shift of all classes on the log-odds "
        f"scale to the accuracy after compression. Networks count as degenerate with {RULES}; they are "
        f"{'left out' if analysis.summary.attrs['exclude_degenerate'] else 'included'}. Source of balance, "
        "intensification and slope: Good et al. (2022)."
    )


def _inference(analysis: Analysis) -> str:
    attrs = analysis.summary.attrs
    if analysis.slopes.sizes.get(SEED, 1) < 2:
        return (
            "With one training run nothing is inferred about others; intervals of single pairs are delete-one-image "
            f"jackknife intervals, and changes of classes are {_decided(analysis)}."
        )
    text = (
        "The unit of inference is the seed. Means are given with t intervals simultaneous at "
        f"{percent(attrs['level'])} over the ratios of a column (Bonferroni), {conditional(analysis)}."
    )
    act = words(analysis.counts.attrs).act
    if analysis.control is not None:
        control = analysis.control.attrs
        text += (
            f" The primary comparison is the difference between the slope after {act} and the slope of the control, "
            f"paired by {_PAIRS.get(control['pair_by'], control['pair_by'])} (k = {k_text(control_records(analysis))} "
            f"comparisons a column, two-sided). {act.capitalize()} is said to have intensified differences where this "
            "difference and that of the log spread ratio both have intervals above 0, to have de-intensified them "
            "where both lie below 0, and to do practically nothing where two one-sided tests show a difference within "
            f"{control['margin']:g} of 0."
        )
    else:
        text += f" Without a control in use no claim about {act} is made."
    if sampling_records(analysis):
        text += (
            f" Slopes were corrected for the sampling of test images ({_estimators(analysis)}); a claim that the "
            "corrected difference contradicts is not made."
        )
    if analysis.crossed:
        text += " Crossed intervals over training runs and test images leave out tenths of the images."
    if analysis.posterior is not None:
        text += " Posteriors are those of a normal model over seeds with a reference prior."
    return text


def _decided(analysis: Analysis) -> str:
    if analysis.changes is not None:
        return "tested with McNemar's test, corrected by Holm"
    return "judged by simultaneous intervals over test images that cover whatever images both networks get right"


def _estimators(analysis: Analysis) -> str:
    """Return how slopes were corrected, and in how many cells the test set was strong enough for it."""
    if analysis.corrected is None:
        return ""
    records = sampling_records(analysis)
    n = sum(record["mean"] is not None for record in records)
    return f"estimator: {analysis.corrected.attrs['estimator']}, estimable in {n} of {len(records)} cells"


def _families(analysis: Analysis) -> list[str]:
    texts = [_family(one) for one in analysis.families]
    return [f"Families of tests. {' '.join(texts)}"] if texts else []


def _family(one: FamilyResult) -> str:
    family = one.family
    m = ", ".join(dict.fromkeys(str(value) for value in family.describe()["m"].values())) or "0"
    side = {"less": "one-sided, first below second", "greater": "one-sided, first above second"}
    paired = f", paired by {_PAIRS.get(one.tests.attrs['pair_by'], 'seed')}" if family.paired else ""
    return (
        f"{family.name}: {family.test}{paired}, {side.get(family.alternative, 'two-sided')}, {family.correction} over "
        f"m = {m} declared comparisons a column, level {percent(family.level)}."
    )


def _software(analysis: Analysis) -> str:
    attrs = analysis.counts.attrs
    versions = json_object(attrs.get("versions"))
    text = f"Analysed with rd {__version__}."
    if versions:
        device = f" on {attrs['device']}" if attrs.get("device") else ""
        commit = f" (commit {attrs['git_commit']})" if attrs.get("git_commit") else ""
        text += f" Computed with {join([f'{name} {value}' for name, value in versions.items()])}{device}{commit}."
    if "root_seed" in attrs:
        text += f" Root of all random numbers: {attrs['root_seed']}."
    return text
