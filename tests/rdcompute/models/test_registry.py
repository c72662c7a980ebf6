"""Registries: names, messages, and packages that add to them."""

import zlib
from dataclasses import dataclass

import pytest

from rdcompute.registry import Registry
from rdstats.errors import InputError


@dataclass(frozen=True)
class Thing:
    name: str


def make(*names):
    registry = Registry("thing", "rdtest.things", Thing, also="or a picture of one")
    for name in names:
        registry.add(Thing(name))
    return registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with entry points on the path, as pip would."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(package, source, points):
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {module}:{target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[rdtest.things]", *lines]) + "\n")

    return write


def test_get_and_names_in_the_order_of_registration():
    registry = make("zebra", "ant")
    assert registry.names() == ("zebra", "ant")
    assert registry.get("ant") == Thing("ant")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="thing 'ant' is registered twice"):
        make("ant", "ant")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "zebr",
            "thing 'zebr' is unknown (did you mean 'zebra'?); accepted: zebra, ant, or a picture of one",
        ),
        (
            "ZEBRA",
            "thing 'ZEBRA' is unknown (did you mean 'zebra'?); accepted: zebra, ant, or a picture of one",
        ),
        ("qqq", "thing 'qqq' is unknown; accepted: zebra, ant, or a picture of one"),
        (7, "thing 7 is unknown; accepted: zebra, ant, or a picture of one"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(InputError) as caught:
        make("zebra", "ant").get(name)
    assert str(caught.value) == message


def test_a_package_adds_a_name_and_is_imported_only_for_it(install, monkeypatch):
    install("pack", "import builtins\nbuilt = builtins.rdtest_thing('bee')\n", {"bee": "built"})
    made = []
    monkeypatch.setattr("builtins.rdtest_thing", lambda n: made.append(n) or Thing(n), raising=False)
    registry = make("zebra")
    assert registry.names() == ("zebra", "bee")
    assert registry.get("zebra") == Thing("zebra")
    assert made == []
    assert registry.get("bee") is registry.get("bee")
    assert made == ["bee"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import not_installed_anywhere", "cannot be loaded: ModuleNotFoundError"),
        ("1/0", "cannot be loaded: ZeroDivisionError"),
        ("x = 1", "cannot be loaded: AttributeError"),
        ("built = 'bee'", "is a str; accepted: Thing"),
        ("import builtins\nbuilt = builtins.rdtest_thing('wasp')", "calls itself 'wasp'"),
    ],
)
def test_a_package_that_is_broken_says_so_when_it_is_used(install, monkeypatch, source, message):
    package = f"broken-{zlib.crc32(source.encode())}"  # a module is imported once a process
    monkeypatch.setattr("builtins.rdtest_thing", Thing, raising=False)
    install(package, source, {"bee": "built"})
    registry = make("zebra")
    assert registry.names() == ("zebra", "bee")
    with pytest.raises(InputError, match=f"thing 'bee' of the package {package} {message}"):
        registry.get("bee")


def test_a_name_that_two_provide(install):
    install("first", "", {"bee": "built", "zebra": "built"})
    install("second", "", {"bee": "built"})
    registry = make("zebra", "ant")
    assert registry.names() == ("zebra", "ant", "bee")
    with pytest.raises(
        InputError, match=r"'bee' is provided more than once, by (first, second|second, first)"
    ):
        registry.get("bee")
    with pytest.raises(InputError, match="'zebra' is provided more than once, by rdcompute itself, first"):
        registry.get("zebra")
    assert registry.get("ant") == Thing("ant")
