"""A device as its data sheet has it, with what is assumed beside: shipped by name, or a YAML file of one's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rdcompute.grid_errors import explain
from rdcompute.training_settings import no_text_or_truth
from rdcompute.workers import AUTO, worker_devices
from rdcompute.yamlread import read_text, read_yaml
from rdstats.errors import InputError, nearest, one_of

CPU = "cpu"
"""The profile of a core of this machine: nothing is looked up, operations are timed."""

_Positive = Annotated[float, BeforeValidator(no_text_or_truth), Field(gt=0)]
_Share = Annotated[float, BeforeValidator(no_text_or_truth), Field(gt=0, le=1)]
_Count = Annotated[int, BeforeValidator(no_text_or_truth), Field(ge=1)]
Precision = Literal["fp32", "tf32", "bf16"]


class DeviceProfile(BaseModel):
    """A GPU.  The descriptions of the fields from `matrix_share` on are printed with their numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="what it is called in a line: no spaces")
    device: str = Field(min_length=1, description="what it is called, with its memory")
    source: str = Field(min_length=1, description="where the figures are from")
    peak_tflops: dict[Precision, _Positive] = Field(
        min_length=1, description="10^12 operations a second by precision; of matrix units dense, without sparsity"
    )
    memory_bandwidth_gb_per_s: _Positive = Field(description="10^9 bytes a second")
    memory_gb: _Positive = Field(description="10^9 bytes")
    matrix_share: dict[Precision, _Share] = Field(
        default={"fp32": 0.5, "tf32": 0.3, "bf16": 0.25},
        description="of the peak that convolutions and matrix products reach, tiles being full: deterministic kernels "
        "of small images; the faster the units, the harder they are to feed",
    )
    tile_columns: dict[Precision, _Count] = Field(
        default={"fp32": 32, "tf32": 64, "bf16": 64},
        description="columns of a tile of a matrix product: networks with fewer channels leave the rest idle",
    )
    bandwidth_share: _Share = Field(
        0.7, description="of the memory bandwidth that everything else reaches; caches are left out"
    )
    smallest_kernel_us: _Positive = Field(3.0, description="microseconds that the shortest kernel takes on the device")
    launch_us: _Positive = Field(
        10.0,
        description="microseconds of a host core for each kernel in eager PyTorch: Python, autograd, allocator, driver",
    )
    host_cores: _Count = Field(8, le=256, description="cores of the host for each device; a worker takes one")
    worker_memory_gb: _Positive = Field(
        1.0, description="10^9 bytes of each worker beside images, network and activations: context, workspaces"
    )
    order_us_per_image: _Positive = Field(
        0.06, description="microseconds a training image before each epoch, in which its order is drawn on the host"
    )
    augment_us_per_image: _Positive = Field(0.7, description="the same for crop and flip, where there are any")
    cell_seconds: _Positive = Field(
        0.5, description="seconds of each cell beside epochs and test: making the network, pruning, saving"
    )

    def check(self, precision: str) -> None:
        """Raise InputError where the profile does not say what there is to know of a precision."""
        for field in ("peak_tflops", "matrix_share", "tile_columns"):
            given = getattr(self, field)
            if precision not in given:
                raise InputError(f"device profile {self.name}: {field} has no {precision}, which a network of the grid "
                                 f"is trained in; it has {one_of(given)}")  # fmt: skip

    def matrix_rate(self, precision: Precision, columns: int) -> float:
        """Return the operations a second that products with so many columns reach."""
        tile = self.tile_columns[precision]
        return self.peak_tflops[precision] * 1e12 * self.matrix_share[precision] * tile_use(columns, tile)

    @property
    def bandwidth(self) -> float:
        """Return the bytes a second that are reached."""
        return self.memory_bandwidth_gb_per_s * 1e9 * self.bandwidth_share


def tile_use(columns: int, tile: int) -> float:
    """Return the part of the tiles that a matrix so many columns wide fills.

    Examples
    --------
    >>> tile_use(16, 64), tile_use(64, 64), tile_use(65, 64)
    (0.25, 1.0, 0.5078125)
    """
    return columns / (tile * -(-columns // tile))


FACTS = ("peak_tflops", "memory_bandwidth_gb_per_s", "memory_gb")
"""Fields that a data sheet has; all others with a number are assumptions."""


def shipped_profiles() -> dict[str, Path]:
    """Return the files of the devices that come with the package, by name."""
    folder = files("rdcompute.projection.devices")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): Path(str(folder / name)) for name in names}


def profile_names() -> tuple[str, ...]:
    """Return every name that is known; a file of one's own has a path."""
    return (CPU, *shipped_profiles())


def load_profile(name: str) -> DeviceProfile:
    """Read a profile: the file called `name`, or else the shipped one of that name.

    Raises
    ------
    InputError
        ``file:line:column: field: what was found; what is accepted`` for the first thing that is wrong.
    """
    shipped = shipped_profiles()
    path = Path(name) if Path(name).is_file() else shipped.get(name)
    if path is None:
        known = profile_names()
        raise InputError(
            f"--device-profile {name}: no such profile or file{nearest(name, known)}; there are {one_of(known)}, "
            "or the path of a YAML file"
        )
    source = str(name) if Path(name).is_file() else path.name
    document, positions = read_yaml(read_text(path), source)
    if not isinstance(document, dict):
        raise InputError(f"{source}: no device profile; {one_of(_needed())} are needed")
    try:
        return DeviceProfile.model_validate(document)
    except ValidationError as error:
        raise explain(error, source, positions, DeviceProfile) from None


def _needed() -> list[str]:
    return [name for name, field in DeviceProfile.model_fields.items() if field.is_required()]


def find_profile(name: str, workers: int | str, per_device: int) -> tuple[DeviceProfile | None, tuple[str, ...]]:
    """Return a profile, None for the CPU of this machine, and the device of every worker.

    Parameters
    ----------
    workers, per_device : as `rdcompute.workers.worker_devices` has them; `per_device` workers share a device, and
        ``auto`` is one device.

    Raises
    ------
    InputError
        An unknown name, a file that is no profile, a number below 1.
    """
    if name == CPU:
        return None, worker_devices(CPU, workers, per_device)
    profile = load_profile(name)
    places = worker_devices(profile.name, per_device if workers == AUTO else workers, per_device)
    n_devices = -(-len(places) // per_device)
    return profile, tuple(f"{profile.name}:{i % n_devices}" for i in range(len(places)))


def describe_profiles() -> list[str]:
    """Return a line for every profile."""
    lines = [f"{CPU:12} a core of this machine, measured"]
    return lines + [f"{name:12} {load_profile(name).device}" for name in shipped_profiles()]
