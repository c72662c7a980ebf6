"""The posterior over seeds as InferenceData: its draws, its shape, what ArviZ makes of it, and its summary."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from rdstats import bayes, credible, slopes
from rdstats._labelled import family_size
from rdstats.bayes import import_arviz, posterior
from rdstats.control import against_control, control_differences
from rdstats.credible import posterior_summary
from rdstats.errors import InputError
from rdstats.slope import summarize_slopes

az = import_arviz()
DIMS = ("seed", "method", "ratio")
NOISE = np.array([-1.0, 0.5, 0, 1, -0.5, 0.2, -0.2])
CELLS = ["sham 1", "mp 2", "mp 4"]


def networks(designed, mp=(1.05, 1.4), spread=1.0, n=7, **options):
    """Return n seeds of a control and a method at ratios 2 and 4; noise of its own in each."""
    noise = NOISE[:n] / 20
    slope = np.full((n, 2, 3), np.nan)
    slope[:, 0, 0] = 1 + noise[::-1]
    slope[:, 1, 1:] = np.array(mp) + noise[:, None] * [1, 2]
    coords = {"method": ["sham", "mp"], "ratio": [1.0, 2.0, 4.0]}
    wide = np.abs(slope) * np.where(np.arange(2)[:, None] == 1, spread, 1.0)
    return slopes(designed(slope, wide, dims=DIMS, coords=coords, jitter=0.002, **options))


@pytest.fixture(scope="module")
def data(designed):
    return networks(designed, mp=(1.05, 0.8), spread=1.1)


@pytest.fixture(scope="module")
def idata(data):
    return posterior(data, draws=5000)


def test_newer_arviz_gets_a_tree_of_datasets(data, idata, monkeypatch):
    """ArviZ 1 has no InferenceData, and calls the level of an interval `prob`; both are imitated here."""
    real = bayes.import_arviz()

    def hdi(dataset, *, prob):
        return real.hdi(dataset, hdi_prob=prob)

    newer = SimpleNamespace(hdi=hdi)
    for module in (bayes, credible):
        monkeypatch.setattr(module, "import_arviz", lambda: newer)
    tree = posterior(data, draws=5000)
    assert isinstance(tree, xr.DataTree)
    xr.testing.assert_equal(tree["posterior"].to_dataset(), idata["posterior"])
    xr.testing.assert_identical(posterior_summary(tree), posterior_summary(idata))


def test_groups_and_shapes(data, idata):
    assert idata.groups() == ["posterior", "observed_data"]
    draws, observed = idata.posterior, idata.observed_data
    assert {name: v.dims for name, v in draws.data_vars.items()} == {
        **dict.fromkeys(["slope", "slope_sd"], ("chain", "draw", "cell")),
        **dict.fromkeys(["delta", "delta_sd", "log_spread", "log_spread_sd"], ("chain", "draw", "compared_cell")),
    }
    assert dict(draws.sizes) == {"chain": 4, "draw": 5000, "cell": 3, "compared_cell": 2}
    assert draws["cell"].values.tolist() == CELLS
    assert draws["compared_cell"].values.tolist() == CELLS[1:]
    assert draws["method"].values.tolist() == ["sham", "mp", "mp"]
    assert draws["ratio"].values.tolist() == [1, 2, 4]
    xr.testing.assert_equal(observed["slope"], data["slope"])
    differences = control_differences(data)
    for name in ("delta", "log_spread"):
        assert observed[name].dims == DIMS
        xr.testing.assert_equal(observed[name].sel({"method": ["mp"]}), differences[name])
        assert observed[name].sel({"method": "sham"}).isnull().all()
    assert not any(bool(values.isnull().any()) for values in draws.data_vars.values())
    assert draws.attrs["measure"] == "recall"
    assert draws.attrs["seed"] == 0


def values_of(data, name, label):
    """Return what is seen of one cell, seed by seed."""
    method, ratio = label.split()
    source = data if name == "slope" else control_differences(data)
    return source[name].sel({"method": method, "ratio": float(ratio)}).values


EVERY = [("slope", label) for label in CELLS] + [(q, label) for q in ("delta", "log_spread") for label in CELLS[1:]]


@pytest.mark.parametrize(("name", "label"), EVERY)
def test_central_interval_is_the_t_interval(data, idata, name, label):
    """The share of draws beyond each bound of scipy's t interval is binomial around its tail."""
    values = values_of(data, name, label)
    dim = "cell" if name == "slope" else "compared_cell"
    draws = idata.posterior[name].sel({dim: label}).values.ravel()
    for level in (0.5, 0.95):
        low, high = stats.t.interval(level, 6, values.mean(), stats.sem(values))
        tail = (1 - level) / 2
        error = 4 * np.sqrt(tail * (1 - tail) / draws.size)
        assert abs((draws < low).mean() - tail) < error
        assert abs((draws > high).mean() - tail) < error
    sd = idata.posterior[f"{name}_sd"].sel({dim: label}).values.ravel()
    pivot = 6 * values.var(ddof=1) / sd**2
    for q in (0.1, 0.5, 0.9):
        assert abs((pivot < stats.chi2.ppf(q, 6)).mean() - q) < 4 * np.sqrt(q * (1 - q) / sd.size)


def test_chains_cells_and_quantities_are_independent(idata):
    draws = idata.posterior
    chains = draws["slope"].sel(cell="mp 2").values
    cells = draws["slope"].stack(sample=("chain", "draw")).values
    quantities = ("slope", "delta", "log_spread")
    both = np.stack([draws[name].isel({draws[name].dims[-1]: -1}).values.ravel() for name in quantities])
    for rows in (chains, cells, both):
        correlation = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
        assert np.abs(correlation).max() < 4 / np.sqrt(rows.shape[1])
    # the chains are of one posterior
    assert np.abs(chains.mean(-1) - chains.mean()).max() < 4 * chains.std() / np.sqrt(chains.shape[1])


def test_a_seed_reproduces_every_draw(designed, data):
    first, again, other = (posterior(data, draws=20, seed=s).posterior for s in (3, 3, 4))
    xr.testing.assert_identical(first, again)
    assert not (first["slope"] == other["slope"]).any()
    assert not (first["slope"][0] == first["slope"][1]).any()
    # slopes are drawn alike whether a control is there or not
    alone = posterior(data.sel({"method": ["mp"]}), draws=20, seed=3).posterior
    assert list(alone.data_vars) == ["slope", "slope_sd"]
    assert alone["cell"].values.tolist() == CELLS[1:]


@pytest.fixture(scope="module", params=["memory", "file"])
def stored(request, idata, tmp_path_factory):
    if request.param == "memory":
        return idata
    path = str(tmp_path_factory.mktemp("posterior") / "posterior.nc")
    idata.to_netcdf(path)
    return az.from_netcdf(path)


def test_arviz_takes_it_as_it_is(stored, idata):
    table = az.summary(stored, round_to="none")
    names = ["delta", "log_spread", "slope"]
    expected = {f"slope[{label}]" for label in CELLS} | {f"{q}[{label}]" for q in names[:2] for label in CELLS[1:]}
    assert expected <= set(table.index)
    assert len(table) == 2 * len(expected)
    assert not table.isna().any(axis=None)
    assert (table["r_hat"] < 1.01).all()
    assert table.loc["slope[mp 4]", "mean"] == pytest.approx(idata.posterior["slope"].sel(cell="mp 4").mean().item())
    hdi = az.hdi(stored, var_names=["slope"], hdi_prob=0.9)["slope"]
    assert hdi.dims == ("cell", "hdi")
    assert not hdi.isnull().any()


def test_arviz_draws_a_forest(stored):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    axes = az.plot_forest(stored, var_names=["slope", "delta"], combined=True)
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert len(labels) == 5
    assert [label for label in labels if "mp 4" in label]
    plt.close("all")


def test_it_reads_back_equal(idata, stored):
    for group in ("posterior", "observed_data"):
        xr.testing.assert_equal(stored[group], idata[group])
    xr.testing.assert_allclose(posterior_summary(stored), posterior_summary(idata))


def test_cells_without_a_posterior_are_left_out(designed):
    values = 1.2 + 0.01 * NOISE[:, None] * [1, 1, 0, 1]
    values[2:, 1] = np.nan  # two seeds
    values[:, 3] = np.nan  # none
    cube = designed(values, dims=("seed", "ratio"), coords={"ratio": [2.0, 4.5, 8.0, 16.0]})
    idata = posterior(slopes(cube), draws=10)
    assert idata.posterior["cell"].values.tolist() == ["2"]
    assert idata.observed_data["slope"].shape == (7, 4)
    summary = posterior_summary(idata)
    assert summary["ratio"].values.tolist() == [2, 4.5, 8, 16]
    assert summary["reason"].values.tolist() == ["", "too_few_seeds", "no_variation", "missing"]
    assert summary["n"].values.tolist() == [7, 2, 7, 0]
    for name in ("mean", "sd", "p_above_one", "p_within_margin"):
        assert np.isfinite(summary[name].values).tolist() == [True, False, False, False]
    for name in ("interval", "hdi"):
        assert np.isfinite(summary[name].values).all(-1).tolist() == [True, False, False, False]
    assert "delta_mean" not in summary


def test_some_seeds_missing(designed):
    data = networks(designed)
    slope = data["slope"].copy()
    slope[0, 1, 1] = np.nan
    idata = posterior(data.assign(slope=slope), draws=5000)
    draws = idata.posterior["slope"].sel(cell="mp 2").values
    values = data["slope"].values[1:, 1, 1]
    low, _ = stats.t.interval(0.8, 5, values.mean(), stats.sem(values))
    assert abs((draws < low).mean() - 0.1) < 4 * np.sqrt(0.09 / draws.size)


def test_a_method_without_a_control(designed):
    data = networks(designed).assign_coords(method=["rp", "mp"])
    idata = posterior(data, draws=10)
    assert idata.posterior["cell"].values.tolist() == ["rp 1", "mp 2", "mp 4"]
    assert list(idata.posterior.data_vars) == [*idata.observed_data.data_vars, "slope_sd"]


def test_a_spread_of_zero_leaves_no_difference_to_compare(designed):
    """No finite log spread ratio in the seeds of one cell: it has a slope, but is not compared."""
    data = networks(designed)
    wide = data["spread_ratio"].copy()
    wide[:, 1, 1] = 0
    idata = posterior(data.assign(spread_ratio=wide), draws=10)
    assert idata.posterior["compared_cell"].values.tolist() == ["mp 4"]
    summary = posterior_summary(idata)
    assert np.isfinite(summary["delta_mean"].values).tolist() == [[False] * 3, [False, False, True]]


def test_only_seeds(designed):
    idata = posterior(slopes(designed(1.2 + NOISE / 10, dims=("seed",))), draws=10)
    assert idata.posterior["cell"].values.tolist() == ["all"]
    assert posterior_summary(idata)["mean"].dims == ()
    assert np.isfinite(posterior_summary(idata)["interval"].values).all()


@pytest.mark.parametrize("variant", ["full", "no status", "other order", "no ratio", "no method", "fold"])
def test_every_shape_and_dask(cubes, variant):
    data = slopes(cubes[variant])
    if variant == "fold":
        data = data.transpose("seed", "fold")
    idata = posterior(data, draws=50)
    n = data["slope"].notnull().sum("seed")
    assert idata.posterior.sizes["cell"] == int((n >= 3).sum())
    summary = posterior_summary(idata)
    cells = [d for d in data["slope"].dims if d != "seed"]
    assert set(summary["mean"].dims) == set(cells)
    xr.testing.assert_equal(summary["mean"].notnull(), (n >= 3).transpose(*summary["mean"].dims))
    one = posterior(data.chunk({"seed": 1}), draws=50)
    xr.testing.assert_identical(one.posterior, idata.posterior)
    # each value lies where its cell lies
    for i, label in enumerate(idata.posterior["cell"].values):
        where = {d: idata.posterior[d].values[i] for d in cells}
        expected = idata.posterior["slope"].sel(cell=label).mean().item()
        assert summary["mean"].sel(where).item() == pytest.approx(expected, rel=1e-12)


def test_summary_by_the_draws(data, idata):
    k = family_size(data)
    found = posterior_summary(idata, level=0.9, margin=0.08, k=k)
    assert found["k"].sel({"method": "mp", "ratio": 4}).item() == 2
    for name, prefix in (("slope", ""), ("delta", "delta_"), ("log_spread", "log_spread_")):
        for label in CELLS if name == "slope" else CELLS[1:]:
            method, ratio = label.split()
            one = found.sel({"method": method, "ratio": float(ratio)})
            own = 1 - 0.1 / k.sel({"method": method, "ratio": float(ratio)}).item()
            assert one["level"].item() == pytest.approx(own, rel=1e-12)
            draws = idata.posterior[name].sel({"cell" if name == "slope" else "compared_cell": label}).values
            assert one[prefix + "mean"].item() == pytest.approx(draws.mean(), rel=1e-12)
            assert one[prefix + "sd"].item() == pytest.approx(draws.std(ddof=1), rel=1e-12)
            bounds = np.quantile(draws, [(1 - own) / 2, (1 + own) / 2])
            np.testing.assert_allclose(one[prefix + "interval"], bounds, rtol=1e-12)
            np.testing.assert_allclose(one[prefix + "hdi"], az.hdi(draws.ravel(), hdi_prob=own), rtol=1e-12)
            if name == "slope":
                assert one["p_above_one"].item() == (draws > 1).mean()
                assert one["p_within_margin"].item() == ((draws > 0.92) & (draws < 1.08)).mean()
            else:
                assert one[f"p_{name}_positive"].item() == (draws > 0).mean()
            if name == "delta":
                assert one["p_delta_within_margin"].item() == ((draws > -0.08) & (draws < 0.08)).mean()
    assert found["interval"].dims == ("method", "ratio", "ci_bound")
    assert found["ci_bound"].values.tolist() == ["lower", "upper"]
    assert (found.attrs["level"], found.attrs["margin"]) == (0.9, 0.08)
    assert np.isnan(found["delta_mean"].sel({"method": "sham"}).values).all()


def test_summary_agrees_with_the_t_interval_and_the_tests(data, idata):
    """Equal-tailed bounds within 4 Monte-Carlo errors of the t interval's; P(slope > 1) is 1 - p of a t test."""
    k = family_size(data)
    found, exact = posterior_summary(idata, k=k), summarize_slopes(data)
    n = idata.posterior.sizes["chain"] * idata.posterior.sizes["draw"]
    for index in np.argwhere(exact["interval"].notnull().all("ci_bound").values):
        one, t = (part.isel(method=index[0], ratio=index[1]) for part in (found, exact))
        df, scale = t["n"].item() - 1, t["sd"].item() / np.sqrt(t["n"].item())
        tail = (1 - t["level"].item()) / 2
        density = stats.t.pdf(stats.t.ppf(tail, df), df) / scale
        error = np.sqrt(tail * (1 - tail) / n) / density
        np.testing.assert_allclose(one["interval"], t["interval"], atol=4 * error)
        p = stats.t.sf((1 - t["mean"].item()) / scale, df)
        assert abs(one["p_above_one"].item() - p) <= 4 * np.sqrt(p * (1 - p) / n) + 1e-12
        inside = np.diff(stats.t.cdf((np.array([0.9, 1.1]) - t["mean"].item()) / scale, df)).item()
        assert abs(one["p_within_margin"].item() - inside) <= 4 * np.sqrt(inside * (1 - inside) / n) + 1e-12
    control = against_control(data).sel({"method": "mp", "ratio": 2})
    delta = found.sel({"method": "mp", "ratio": 2})
    width = control["interval"].diff("ci_bound").item()
    np.testing.assert_allclose(delta["delta_interval"], control["interval"], atol=0.05 * width)
    # the posterior of a mean is symmetric: both kinds of interval agree
    np.testing.assert_allclose(delta["hdi"], delta["interval"], atol=0.1 * delta["interval"].diff("ci_bound").item())


def test_arviz_is_imported_only_when_it_is_used():
    script = "import sys, rdstats.bayes, rdstats.credible, rdstats.pair_probability; print('arviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_wrong_input(cubes, designed, idata):
    with pytest.raises(InputError, match="no dimension seed"):
        posterior(slopes(cubes["no seed"]))
    with pytest.raises(InputError, match="3 seeds"):
        posterior(networks(designed, n=2))
    for name, value in (("draws", 0), ("chains", 0), ("seed", -1)):
        with pytest.raises(InputError, match=f"{name}: received {value}"):
            posterior(networks(designed), **{name: value})
    with pytest.raises(InputError, match="'draw', which is one of the posterior's"):
        posterior(networks(designed).rename(ratio="draw"))
    with pytest.raises(InputError, match="level"):
        posterior_summary(idata, level=95)
    with pytest.raises(InputError, match="margin"):
        posterior_summary(idata, margin=0)
    with pytest.raises(InputError, match="k: received 0"):
        posterior_summary(idata, k=0)
