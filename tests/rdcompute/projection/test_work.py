"""The work of a step: by hand, by PyTorch's own counter, and what is not work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from rdcompute.models import build_model, multiplications
from rdcompute.projection.operations import Operation, operations_of
from rdcompute.projection.work import Shape, Work, count_work
from rdcompute.training_settings import settings_for
from rdcompute.widths import full_widths, narrow_widths

B = 128
CONV1, CONV2 = 2 * B * 26 * 26 * 6 * 1 * 9, 2 * B * 11 * 11 * 16 * 6 * 9
DENSE = [2 * B * i * o for i, o in ((400, 120), (120, 84), (84, 10))]


def named(operations: tuple[Operation, ...], name: str) -> list[Operation]:
    return [one for one in operations if one.name == name]


def flops(operations: tuple[Operation, ...]) -> float:
    return sum(one.flops for one in operations)


def test_lenet_layer_by_layer(lenet: Work) -> None:
    assert [one.flops for one in named(lenet.step, "convolution forward")] == [CONV1, CONV2]
    assert [one.flops for one in named(lenet.step, "convolution weight")] == [CONV2, CONV1]
    assert [one.flops for one in named(lenet.step, "addmm")] == DENSE
    assert sorted(one.flops for one in named(lenet.step, "mm")) == sorted(2 * DENSE)
    assert flops(lenet.step) == 3 * (CONV1 + CONV2 + sum(DENSE)) - CONV1


def test_the_first_layer_needs_no_gradient_of_its_input(lenet: Work, resnet20: Work) -> None:
    assert [one.flops for one in named(lenet.step, "convolution input")] == [CONV2]
    inputs = [one.sizes[1] for one in named(resnet20.step, "convolution input")]
    assert len(inputs) == 18
    assert 3 not in inputs


def test_bytes_of_a_convolution_are_its_tensors(lenet: Work) -> None:
    first = named(lenet.step, "convolution forward")[0]
    assert first.n_bytes == 4 * (B * 28 * 28 + 6 * 9 + B * 6 * 26 * 26)
    assert first.sizes == (0, 1, 6, 26, 3, 1, 0, B)


def test_resnet20_forward_is_41_million_multiplications(resnet20: Work) -> None:
    expected = multiplications(full_widths(3), 10, (3, 32, 32))
    assert expected == 40551040
    assert flops(resnet20.evaluation) == 2 * 500 * expected
    stem = 2 * B * 32 * 32 * 3 * 16 * 9
    assert flops(resnet20.step) == 3 * 2 * B * expected - stem
    # the pass of a gradient has no gradient of the head, which is never pruned
    assert flops(resnet20.gradient) == flops(resnet20.step) - 2 * B * 64 * 10


def test_pytorch_counts_as_many_operations(resnet20: Work) -> None:
    with torch.device("meta"):
        model = build_meta("resnet20")
        images, labels = torch.empty(B, 3, 32, 32), torch.empty(B, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(images), labels).backward()
    assert flops(resnet20.step) == counter.get_total_flops()


def build_meta(arch: str) -> torch.nn.Module:
    return build_model(arch, 10, (3, 32, 32), 0).to("meta")


def test_a_narrow_network_has_less_to_do(resnet20: Work) -> None:
    widths = narrow_widths([0, 0.5, 0.5, 0.5, 0.5, 0.5], 3)
    shape = Shape("resnet20", widths, 10, (3, 32, 32), True, "cuda")
    work = count_work(shape, settings_for("resnet20", {}))
    assert flops(work.evaluation) == 2 * 500 * multiplications(widths, 10, (3, 32, 32))
    assert flops(work.step) < flops(resnet20.step)


def test_views_are_no_kernels_and_the_optimiser_takes_many_tensors_at_once(lenet: Work) -> None:
    names = Counter(one.name for one in lenet.step)
    assert not names.keys() & {"view", "t", "detach", "permute", "split", "empty", "expand"}
    assert names["_fused_sgd_"] == 1
    assert names["_foreach_mul_"] == 1  # masks
    assert names["convolution weight"] == names["convolution bias"] == 2
    assert sum(one.launches for one in lenet.step) == len(lenet.step) < 60


def test_many_tensors_take_several_kernels(resnet20: Work) -> None:
    assert [one.launches for one in named(resnet20.step, "_fused_sgd_")] == [2]  # 65 parameters, 48 a kernel
    assert max(one.launches for one in resnet20.step) == 2


def test_on_the_cpu_images_of_few_channels_are_pooled_otherwise(lenet: Work) -> None:
    shape = Shape("lenet", None, 10, (1, 28, 28), False, "cpu")
    here = count_work(shape, settings_for("lenet", {}))
    assert flops(here.step) == flops(lenet.step)
    assert [len(named(work.step, "max_pool2d_with_indices")) for work in (here, lenet)] == [1, 2]
    assert len(here.step) > len(lenet.step)


def test_augmentation_gathers_pixels(lenet: Work, resnet20: Work) -> None:
    assert not [one for one in lenet.step if one.kind == "gather"]
    (pixels,) = [one for one in resnet20.step if one.kind == "gather"]
    assert pixels.n_bytes == 8 * B * (1 + 32 + 32) + 2 * B * 32 * 32 * 3


def test_normalisation_reads_twice_in_training(resnet20: Work) -> None:
    image = 4 * B * 16 * 32 * 32
    assert named(resnet20.step, "native_batch_norm")[0].n_bytes == pytest.approx(3 * image, rel=1e-3)
    evaluated = named(resnet20.evaluation, "native_batch_norm")[0]
    assert evaluated.kind == "norm-eval"
    assert evaluated.n_bytes == pytest.approx(2 * image * 500 / B, rel=1e-3)


def test_what_is_repeated_without_a_copy_is_read_once() -> None:
    x = torch.ones(3, 1).expand(3, 1000)
    (add,) = operations_of(torch.ops.aten.add.Tensor, (x, x), x + x)
    assert add.n_bytes == 2 * 4 * 3 + 4 * 3000
    assert not list(operations_of(torch.ops.aten.expand.default, (x, [3, 1000]), x))


def test_memory_holds_what_backward_needs(resnet20: Work) -> None:
    widest = 4 * B * 16 * 32 * 32  # bytes of a feature map; those of later stages are a half and a quarter
    kept = widest * (2 + 12 * (1 + 1 / 2 + 1 / 4))  # both convolutions and both ReLUs of nine blocks, and of the stem
    assert kept < resnet20.most_bytes < 1.1 * kept


@pytest.mark.parametrize(
    ("fields", "eval_batch"),
    [
        ({"unit": "steps", "train": [[4, 0.1]], "renew_optimizer": True}, 500),
        ({"schedule": "cosine", "warmup_epochs": 5}, 500),
        ({"keep": "released"}, B),
        ({"validation": "none", "keep": "last"}, 500),
    ],
)
def test_recipes_of_other_lengths_have_the_same_step(lenet: Work, fields: dict[str, object], eval_batch: int) -> None:
    shape = Shape("lenet", None, 10, (1, 28, 28), False, "cuda")
    work = count_work(shape, settings_for("lenet", {"lenet": fields}))
    assert work.step == lenet.step
    assert work.eval_batch == eval_batch
    assert flops(work.evaluation) * 500 == flops(lenet.evaluation) * eval_batch


def test_two_kinds_of_work_are_counted_apart() -> None:
    shape = Shape("lenet", None, 10, (1, 28, 28), False, "cuda")
    small = settings_for("lenet", {"lenet": {"batch_size": 32}})
    assert 4 * flops(count_work(shape, small).step) == flops(count_work(shape, settings_for("lenet", {})).step)
    assert count_work(replace(shape, n_classes=20), small).n_parameters == 60074 + 85 * 10
