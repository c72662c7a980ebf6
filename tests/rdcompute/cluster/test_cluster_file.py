"""Cluster files: what is refused, with its place, and what jobs are submitted for those that are right."""

import os
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rdcompute.cluster import gpu, kinds
from rdcompute.cluster.choice import chosen_cluster
from rdcompute.cluster.file import load_cluster
from rdcompute.cluster.gpu import _first_free
from rdcompute.cluster.kinds import check_cluster, job_script
from rdcompute.cluster.placing import Acquaintances, resources
from rdstats.errors import InputError

EXAMPLES = Path(__file__).parents[3] / "docs" / "clusters"
ONE_THREAD = "a worker has one thread, for results that are the same everywhere; leave it out"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "cluster.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty cluster file; kind (local, ssh, cuda, slurm, pbs, lsf) is needed, and workers"),
        ("workers: 2", "1:1: kind: is needed and not there"),
        ("kind: slrm", "1:1: kind: unknown kind 'slrm' (did you mean 'slurm'?); known are local, ssh"),
        ("kind: local\nworker: 2", "2:1: worker: unknown key 'worker' (did you mean 'workers'?); known are kind"),
        ("kind: local\nworkers: two", "2:1: workers: got 'two'; a number is accepted"),
        ("kind: local\nworkers: 0", "2:1: workers: got 0; input should be greater than or equal to 1"),
        ("kind: local\ngpus: 4", "2:1: gpus: got 4; input should be less than or equal to 1"),
        ("kind: local\nadapt: {most: 2}", "2:9: adapt.most: unknown key 'most'; known are minimum, max"),
        ("kind: local\nadapt: {minimum: 3, maximum: 2}", "2:9: adapt.minimum: got 3; at most maximum, 2"),
        ("kind: local\nworkers: 2\nadapt: {maximum: 2}", "3:1: adapt: workers says how many there are; give one"),
        ("kind: ssh\nworkers: 2", "2:1: workers: not with kind ssh, which has a worker a host: options.hosts"),
        ("kind: cuda\nadapt: {maximum: 2}", "2:1: adapt: not with kind cuda, which has a worker a GPU; workers"),
        ("kind: cuda\ngpus: 0", "2:1: gpus: kind cuda has a GPU a worker; 1 is accepted"),
        ("kind: local\noptions: {nthreads: 4}", f"2:11: options.nthreads: {ONE_THREAD}"),
        ("kind: local\noptions: {n_workers: 4}", "2:11: options.n_workers: workers, beside kind, says how many"),
        ("kind: local\noptions: {resources: {GPU: 1}}", "2:11: options.resources: gpus: 1, beside kind, says so"),
        ("kind: local\noptions: {hosst: a}", "2:11: options.hosst: unknown option (did you mean 'host'?); Local"),
        ("kind: ssh\noptions: {hosts: [a]}", "2:11: options.hosts: got ['a']; a list is accepted, the scheduler's host "
         "first, then one for each worker"),
        ("kind: ssh\noptions: {hosts: [a, b], worker_options: {nthreads: 2}}",
         f"2:43: options.worker_options.nthreads: {ONE_THREAD}"),
        ("kind: slurm\noptions: {memory: 1GB, cores: 4}", f"2:24: options.cores: got 4 for 1 processes; {ONE_THREAD}"),
        ("kind: slurm\noptions: {memory: 1GB, worker_extra_args: [--nthreads, 4]}",
         f"2:24: options.worker_extra_args: --nthreads: {ONE_THREAD}"),
        ("kind: slurm\noptions: {memory: 1GB, worker_extra_args: [--resources=GPU=2]}",
         "2:24: options.worker_extra_args: --resources: gpus: 1, beside kind, says so"),
        ("kind: ssh\noptions: {hosts: 5}", "2:11: options.hosts: got 5; a list, the scheduler's host first, is"),
        ("kind: ssh\noptions: {hosts: [a, b], worker_options: 3}",
         "2:26: options.worker_options: got 3; a block of fields is accepted"),
        ("kind: ssh\noptions: {hosts: [a, b], worker_options: {n_workers: two}}",
         "2:43: options.worker_options.n_workers: got 'two'; a whole number from 1 is accepted"),
        ("kind: local\noptions: {scheduler_kwargs: 3}", "2:11: options.scheduler_kwargs: got 3; a block of fields is"),
        ("kind: slurm\noptions: {memory: 1GB, scheduler_options: 5}", "2:24: options.scheduler_options: got 5; a"),
        ("kind: slurm\noptions: {memory: 1GB, processes: two}", "2:24: options.processes: got 'two'; a whole number"),
        ("kind: slurm\noptions: {memory: 1GB, processes: 0}", "2:24: options.processes: got 0; a whole number from 1"),
        ("kind: slurm\noptions: {memory: 1GB, worker_extra_args: --nthreads 4}",
         "2:24: options.worker_extra_args: got '--nthreads 4'; a list is accepted"),
        ("kind: slurm\noptions: {memory: [1]}", "2:1: options: "),
        ("kind: slurm\noptions: {memory: 1GB, config_name: none}", "2:1: options: "),
        ("kind: slurm\noptions: {queue: a}", "2:1: options: You must specify how much cores and memory per job"),
        ("kind: lsf\noptions: {memory: lots}", "2:1: options: Could not interpret 'lots' as a byte unit"),
    ],
)  # fmt: skip
def test_what_is_refused(written, text, message):
    path = written(text)
    with pytest.raises(InputError) as caught:
        check_cluster(load_cluster(path))
    told = str(caught.value)
    assert "\n" not in told
    place = f"{path}: " if not text else f"{path}:"
    assert told.startswith(place + message), told


def test_what_is_not_installed_or_not_here(written, monkeypatch):
    monkeypatch.setattr(kinds, "find_spec", lambda name: None if name == "dask_jobqueue" else name)
    with pytest.raises(InputError, match=r"slurm needs dask-jobqueue: pip install 'recall-distortion\[jobqueue\]'$"):
        check_cluster(load_cluster(EXAMPLES / "slurm.yaml"))
    monkeypatch.setattr(kinds, "find_spec", lambda name: None if name == "dask_cuda" else name)
    with pytest.raises(InputError, match=r"kind: cuda needs dask-cuda: pip install 'recall-distortion\[cuda\]'$"):
        check_cluster(load_cluster(EXAMPLES / "dask-cuda.yaml"))
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="kind: lsf needs bsub, which is not on this machine: begin where"):
        check_cluster(load_cluster(EXAMPLES / "lsf-gpu.yaml"))


HEADERS = {
    "slurm.yaml": ["#SBATCH -J dask-worker", "#SBATCH -p normal", "#SBATCH -A my-project", "#SBATCH -n 1",
                   "#SBATCH --cpus-per-task=1", "#SBATCH --mem=4G", "#SBATCH -t 04:00:00"],
    "slurm-gpu.yaml": ["#SBATCH -J dask-worker", "#SBATCH -p gpu", "#SBATCH -A my-project", "#SBATCH -n 1",
                       "#SBATCH --cpus-per-task=2", "#SBATCH --mem=15G", "#SBATCH -t 08:00:00", "#SBATCH --gres=gpu:1",
                       "module load cuda"],
    "pbs-gpu.yaml": ["#PBS -N dask-worker", "#PBS -q gpu", "#PBS -A my-project",
                     "#PBS -l select=1:ncpus=2:ngpus=1:mem=16GB", "#PBS -l walltime=08:00:00"],
    "lsf-gpu.yaml": ["#BSUB -J dask-worker", "#BSUB -q gpu", '#BSUB -P "my-project"', "#BSUB -n 1", "#BSUB -M 16000000",
                     "#BSUB -W 08:00", '#BSUB -gpu "num=1:j_exclusive=yes"'],
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_the_jobs_of_the_examples(name):
    file = load_cluster(EXAMPLES / name)
    shebang, *lines, command = [line for line in job_script(file, "tcp://10.0.0.1:8786").splitlines() if line]
    assert shebang == "#!/usr/bin/env bash"
    assert lines == [*HEADERS[name], "source /shared/rd/bin/activate"]
    memory = "3.73GiB" if name == "slurm.yaml" else "14.90GiB"
    lifetime = ["--lifetime=465m", "--lifetime-stagger=10m"] if name == "slurm-gpu.yaml" else []
    assert shlex.split(command) == [
        sys.executable, "-m", "distributed.cli.dask_worker", "tcp://10.0.0.1:8786", "--name", "NAME", "--nthreads", "1",
        "--memory-limit", memory, "--nanny", "--death-timeout", "60", *lifetime,
        *(["--resources", "GPU=1"] if file.gpus else []),
    ]  # fmt: skip


def test_several_processes_a_job_have_one_thread_each(written):
    file = load_cluster(written("kind: slurm\noptions: {memory: 8GB, processes: 4}"))
    text = job_script(file)
    assert "--nthreads 1 --memory-limit 1.86GiB --nworkers 4" in text
    assert "--cpus-per-task=4" in text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_right(path, monkeypatch, tmp_path):
    """As far as their packages are here: that for CUDA need not be."""
    for command in ("sbatch", "qsub", "bsub"):
        (tmp_path / command).write_text("#!/bin/sh\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    file = load_cluster(path)
    if file.kind != "cuda":
        check_cluster(file)


def test_hosts_get_one_thread_a_worker_and_end_by_themselves(monkeypatch):
    made = {}
    monkeypatch.setattr("distributed.SSHCluster", lambda **options: made.update(options))
    kinds.make_cluster(load_cluster(EXAMPLES / "ssh.yaml"), 8)
    assert made["worker_options"] == {"n_workers": 4, "nthreads": 1}
    assert made["scheduler_options"] == {"dashboard": False, "idle_timeout": kinds.IDLE}
    assert made["hosts"] == ["head", "node1", "node2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "dsk"}, "--executor dsk: local, dask is accepted"),
        ({"scheduler": "tcp://a:1", "file": EXAMPLES / "local.yaml"}, "--scheduler and --cluster exclude each other"),
        ({"executor": "local", "scheduler": "tcp://a:1"}, "--scheduler is for --executor dask; leave one"),
        ({"executor": "local", "file": EXAMPLES / "local.yaml"}, "--cluster is for --executor dask"),
        ({"executor": "dask", "timeout": 3.0}, "--scheduler-timeout is for --scheduler; give both, or none"),
        ({"scheduler": "tcp://a:1", "timeout": 0.0}, "--scheduler-timeout 0: a number of seconds above 0 is accepted"),
        ({"scheduler": "tcp://a:1", "workers": ("2", 1)}, "--workers is for workers that rd starts"),
        ({"file": EXAMPLES / "slurm.yaml", "workers": ("auto", 1)}, "kind: --workers auto counts what this machine"),
        ({"file": EXAMPLES / "slurm-gpu.yaml", "workers": ("3", 1)}, "adapt: says between which numbers workers vary"),
        ({"file": EXAMPLES / "ssh.yaml", "workers": ("3", 1)}, "options.hosts: says how many workers there are"),
        ({"file": EXAMPLES / "none.yaml"}, "none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    given = {"executor": None, "scheduler": None, "file": None, "timeout": None, "workers": (None, 1), **options}
    with pytest.raises(InputError) as caught:
        chosen_cluster(**given, device="cpu")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "n", "kind"),
    [
        ({"executor": "dask", "workers": ("3", 1)}, 3, "local"),
        ({"file": EXAMPLES / "local.yaml"}, 2, "local"),
        ({"file": EXAMPLES / "local.yaml", "workers": ("5", 1)}, 5, "local"),
        ({"file": EXAMPLES / "local.yaml", "workers": (None, 2)}, 2, "local"),
        ({"file": EXAMPLES / "local.yaml", "workers": ("1", 1)}, 1, "local"),
        ({"file": EXAMPLES / "dask-cuda.yaml", "workers": ("3", 1)}, 3, "cuda"),
        ({"file": EXAMPLES / "ssh.yaml"}, 8, "ssh"),
        ({"file": EXAMPLES / "slurm-gpu.yaml"}, 8, "slurm"),
    ],
)
def test_which_cluster_and_how_many_workers(options, n, kind):
    given = {"executor": None, "scheduler": None, "file": None, "timeout": None, "workers": (None, 1), **options}
    cluster = chosen_cluster(**given, device="cpu")
    assert (cluster.n_workers, cluster.file.kind) == (n, kind)
    assert cluster.most == n


def test_no_cluster_without_dask():
    assert chosen_cluster("local", None, None, None, ("2", 1), "cpu") is None
    assert chosen_cluster("dask", "tcp://a:1", None, 3.0, (None, 1), "cpu").timeout == 3.0


def test_which_workers_may_compute(written):
    without, has = load_cluster(EXAMPLES / "local.yaml"), load_cluster(EXAMPLES / "eight-gpus.yaml")
    assert resources("cpu", has, ()) == {}
    assert resources("auto", has, ()) == resources("cuda:1", has, ()) == {"GPU": 1}
    assert resources("auto", without, ()) == {}
    assert resources("auto", None, ()) is resources("cuda", None, ()) is None  # that is seen when a worker has come
    assert resources("auto", None, [False, True]) == resources("cuda", None, [True]) == {"GPU": 1}
    assert resources("auto", None, [False]) == {}
    with pytest.raises(InputError, match=r"local\.yaml:.*gpus: --device cuda is for workers with a GPU"):
        resources("cuda", without, ())


def test_each_worker_takes_the_gpu_that_the_fewest_have(tmp_path, monkeypatch):
    """Locks of one process count as those of several: they are of open files."""
    monkeypatch.setattr(gpu, "_kept", kept := [])
    taken = [_first_free(["a", "b", "c"], tmp_path / "gpus") for _ in range(4)]
    assert taken == [0, 1, 2, 0]
    assert _first_free(["d", "a"], tmp_path / "gpus") == 0  # another that this worker sees first
    for file in kept:
        file.close()


def test_a_worker_keeps_its_gpu_from_command_to_command(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda i: SimpleNamespace(uuid=f"gpu-{i}"))
    monkeypatch.setattr(gpu, "_folder", lambda: tmp_path)
    monkeypatch.setattr(gpu, "_kept", [])
    gpu.own_gpu.cache_clear()
    assert [gpu.own_gpu() for _ in range(3)] == ["cuda:0"] * 3
    gpu.own_gpu.cache_clear()
    (lock,) = gpu._kept
    lock.close()


def test_a_number_of_workers_is_that_of_dask_cuda_too(written):
    cluster = chosen_cluster(None, None, written("kind: cuda"), None, ("3", 1), "auto")
    assert kinds._cuda(cluster.file, cluster.n_workers)["n_workers"] == 3


def test_workers_that_differ_are_named_once():
    from rdcompute.provenance import circumstances

    own = {"name": "0", "address": "tcp://a:1", **circumstances("cpu")}
    other = {**own, "host": "b", "versions": {**own["versions"], "torch": "0.1"}, "device": "cuda"}
    group = Acquaintances()
    group.met(own)
    with pytest.warns(UserWarning, match="their last bits may differ") as warned:
        group.met(other)
    assert [str(one.message).partition(":")[0] for one in warned] == [
        "cells are computed with different versions of torch", "cells are computed with different devices"
    ]  # fmt: skip
    group.met(other)


BLOCKS = re.findall(r"```yaml\n(.*?)```", (EXAMPLES.parent / "cluster.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split()[1].rstrip(":"))
def test_the_files_of_the_document_are_those_to_copy(written, text):
    name = text.split()[1].rstrip(":")
    assert load_cluster(written(text)) == load_cluster(EXAMPLES / name)


def test_the_options_of_the_document_exist():
    """Of rd, and of the commands that start a scheduler and workers by hand."""
    from distributed.cli import dask_worker
    from typer.main import get_command

    from rdcli.app import app

    document = (EXAMPLES.parent / "cluster.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", document, re.DOTALL) for line in block.splitlines()]
    ours = get_command(app).commands["compute"].params
    known = {"rd": {one for option in ours for one in option.opts},
             "dask": {one for option in dask_worker.main.params for one in option.opts}}  # fmt: skip
    assert len(commands) == 4
    for command in commands:
        used = re.findall(r"--[a-z-]+", command)
        assert set(used) <= known[command.split()[0]], command
    assert {"--executor", "--scheduler", "--cluster", "--scheduler-timeout"} <= known["rd"]
    assert all(option in document for option in ("--executor", "--scheduler", "--cluster", "--scheduler-timeout"))
