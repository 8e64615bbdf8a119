"""A lecture measured by a Dask cluster: the same bits, also when a worker dies on the way."""

import json
import os
import signal
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path

import fake_chapter
import numpy as np
import pytest
from waiting import LONG

from tinycompress import data, evaluate, lecture, models
from tinycompress.cli import main
from tinycompress.lecture import Settings, report, run
from tinycompress.selection import train
from tinycompress.workshop import executors
from tinycompress.workshop.identity import fingerprint

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
FEW = Settings(seeds=4)


def train_a_net(seed):
    """A real task: what it returns has many bits to get wrong."""
    dataset, rng = data.load("digits"), np.random.default_rng(seed)
    net = models.mlp(dataset.image_shape, (30,), dataset.num_classes, rng=rng)
    train(net, dataset, lr=0.05, epochs=1, rng=rng, batch_size=64)
    loss = evaluate(net, dataset.test).loss
    return [{"seed": seed, "arm": arm, "x": x, "accuracy": loss} for arm in ("ours", "theirs") for x in range(4)]


def train_and_kill_a_worker(seed, killed):
    """The first of these tasks takes its worker with it, as the kernel does when memory is short."""
    if seed == 1 and not Path(killed).exists():
        Path(killed).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return train_a_net(seed)


def kill_every_worker(seed):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two workers, all of them processes of their own or threads of this one that talk by TCP."""
    path = [str(Path(__file__).parent), str(Path(fake_chapter.__file__).parent), str(Path(lecture.__file__).parents[2])]
    patience = {f"distributed.{name}": f"{LONG}s" for name in ("comm.timeouts.connect", "comm.timeouts.tcp")}
    with pytest.MonkeyPatch.context() as patch, dask.config.set(patience):
        patch.setenv("PYTHONPATH", os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]))
        patch.setattr(executors, "CONNECT_SECONDS", LONG)
        with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0", protocol="tcp") as local:
            yield local


@pytest.fixture
def address(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=LONG)  # those that an earlier test killed are started again
    return cluster.scheduler_address


def test_a_worker_killed_on_the_way_loses_nothing_and_changes_no_bit(cluster, address, tmp_path):
    alone = run(fake_chapter.make("D", 0.0, measure=train_a_net, tasks=lambda s: [(i,) for i in range(s.seeds)]), FEW)
    killed = tmp_path / "killed"
    tasks = [(seed, str(killed)) for seed in range(FEW.seeds)]
    claim = fake_chapter.make("D", 0.0, measure=train_and_kill_a_worker, tasks=lambda settings: tasks)
    with executors.dask_cluster(address) as executor:
        spread = run(claim, FEW, executor)
    assert killed.exists()
    assert spread.rows == alone.rows and len({row["accuracy"] for row in spread.rows}) == FEW.seeds


def test_a_timed_claim_stays_on_the_machine_that_reports_it(address):
    class Refuses:
        def submit(self, *call):
            pytest.fail("a timed task was given away")

    claim = fake_chapter.make("D", 0.0, measure=where_am_i, timed=True, tasks=lambda settings: [()])
    assert run(claim, FEW, Refuses()).rows[0]["accuracy"] == os.getpid()


def where_am_i():
    return [{"seed": 0, "arm": arm, "x": 0, "accuracy": os.getpid()} for arm in ("ours", "theirs")]


def test_a_task_that_kills_every_worker_ends_the_run_as_a_broken_pool_does(address):
    claim = fake_chapter.make("D", 0.0, measure=kill_every_worker, tasks=lambda settings: [(0,)])
    with pytest.raises(BrokenExecutor), executors.dask_cluster(address) as executor:
        run(claim, FEW, executor)


def test_the_command_line_gives_its_tasks_to_the_cluster(address, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lecture, "CHAPTERS", {"fake": "fake_chapter"})
    monkeypatch.setattr(report, "draw", lambda result: (b"<svg/>", b"png"))
    rows = []
    for more in (["--workers", "1"], ["--dask", address]):
        folder = tmp_path / more[0].strip("-")
        assert main(["lecture", "F1", "F3", "--seeds", "3", "--out", str(folder), *more]) == 0
        rows.append([claim["rows"] for claim in json.loads((folder / "claims.json").read_text())["claims"]])
    assert rows[0][0] == rows[1][0]
    assert main(["lecture", "--workers", "2", "--dask", address, "--out", str(tmp_path)]) == 2
    assert "give only one of them" in capsys.readouterr().err


def test_a_cluster_that_would_give_other_numbers_is_refused(address, monkeypatch, tmp_path, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(executors, "CONNECT_SECONDS", 1)
        assert main(["lecture", "--dask", "tcp://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err
    with pytest.raises(executors.ClusterProblem, match="another data"):
        with executors.dask_cluster(address, with_other_content(tmp_path, monkeypatch)):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(executors.ClusterProblem, match="pip install"), executors.dask_cluster(address):
        pass


def with_other_content(folder, monkeypatch):
    """A data set that this process sees with other content than the workers do."""
    from tinycompress.workshop import identity

    true = fingerprint
    monkeypatch.setattr(identity, "fingerprint", lambda name: true(name)[::-1])
    return "digits"


def test_workers_with_several_threads_and_clusters_without_workers_are_refused():
    options = {"dashboard_address": ":0", "processes": False, "protocol": "tcp"}
    with distributed.LocalCluster(1, threads_per_worker=2, **options) as crowded:
        with pytest.raises(executors.ClusterProblem, match="--nthreads 1"):
            with executors.dask_cluster(crowded.scheduler_address):
                pass
        with distributed.Client(crowded) as client:
            client.retire_workers()
        with pytest.raises(executors.ClusterProblem, match="no workers"):
            with executors.dask_cluster(crowded.scheduler_address):
                pass
