"""Write the specifications that test_specs.py compares charts with.

Run from the repository, after looking at what the charts have become::

    python tests/data/make_specs.py
"""

import json
import runpy
from pathlib import Path

import rdstats
from rdstats.charts import FIGURES, plot, specification

HERE = Path(__file__).parent
FOLDER = HERE / "specs"


def study():
    """Return the analysis that all specifications are made of: small, with everything that a figure asks for."""
    make_study = runpy.run_path(str(HERE.parent / "rdstats" / "studies.py"), run_name="studies")["make_study"]
    arms = {"sham": 1.0, "mp": (1.3, 1.5), "up": (0.7, 0.6)}
    cube = make_study(
        arms, seeds=5, classes=4, images=60, deviation=0.25, keep="predictions", achieved={"up": 0.9},
        collapse={(0, "up", 4.0)}, class_names=["cat", "dog", "bird", "<b>&_x"],
    )  # fmt: skip
    return rdstats.analyze(cube, family=["ratio", "method"], bayes=True)


def plain(chart):
    """Return a chart's specification without what belongs to a release of Altair or to all charts."""
    spec = {key: value for key, value in specification(chart).items() if key not in ("$schema", "config")}
    numbers = {}

    def renamed(part):
        if isinstance(part, dict):
            named = isinstance(part.get("name"), str) and part["name"].startswith("data-") and len(part) == 1
            if named:  # the name is a hash of the data, which may differ in the last digit
                return {"name": numbers.setdefault(part["name"], f"data-{len(numbers)}")}
            return {key: renamed(value) for key, value in part.items() if key != "datasets"}
        return [renamed(one) for one in part] if isinstance(part, list | tuple) else part

    body = renamed(spec)
    datasets = {numbers[name]: list(rows) for name, rows in spec.get("datasets", {}).items() if name in numbers}
    return json.loads(json.dumps(body | {"datasets": datasets}, sort_keys=True, allow_nan=False))


def main():
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    analysis = study()
    for name in FIGURES:
        text = json.dumps(plain(plot(analysis, name)), sort_keys=True, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
