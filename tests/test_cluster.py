"""A study on a real Dask scheduler with two workers that see none of our folders; one of them is killed on the way."""
import os
import signal
import subprocess
import sys
import time

import pytest

from codemix_nb.evaluation.executor import pending
from codemix_nb.experiments.base import plan
from codemix_nb.study.spec import read

STUDY = """study: shared
corpora: [mine.csv]
folds: 5
repeats: 4
models: [majority, lr-word, nbsvm]
contrasts: [{name: characters help, a: nbsvm, b: lr-word}]
""".replace("mine.csv", "{path: mine.csv, positive: bad}")
DASK = [sys.executable, "-m", "distributed.cli"]


def started(command, folder, home):
    environment = {**os.environ, "CODEMIX_HOME": str(home), "CODEMIX_MIRROR": "", "OMP_NUM_THREADS": "1",
                   "CODEMIX_REPORTS": str(home / "reports")}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler's file, and two workers in folders of their own."""
    file = tmp_path / "scheduler.json"
    running = [started([*DASK[:-1], "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                        "--no-dashboard", "--scheduler-file", str(file)], tmp_path, tmp_path / "scheduler")]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        running.append(started([*DASK[:-1], "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-nanny",
                                "--nthreads", "1", "--name", name, "--no-dashboard"], tmp_path / name, tmp_path / name))
    yield file, running[1:]
    for process in running: process.kill()
    for process in running: process.wait()


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(tmp_path, cluster):
    file, workers = cluster
    rows = "".join(f"kura {a}{b} {b}{a} {'ramro' if i % 2 else 'bekar'},{'ok' if i % 2 else 'bad'}\n"
                   for i, (a, b) in enumerate((a, b) for a in "kmpstgnd" for b in "aeiouchy"))
    (tmp_path / "mine.csv").write_text("text,label\n" + rows)
    (tmp_path / "shared.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "codemix_nb.cli.app", "run", str(tmp_path / "shared.yaml")]
    far = started([*command, "--dask", str(file)], tmp_path, tmp_path / "far")
    for _ in range(1200):
        if len(list((tmp_path / "far" / "units").rglob("*.parquet"))) >= 3 or far.poll() is not None: break
        time.sleep(.1)
    assert far.poll() is None, far.stderr.read()
    workers[0].send_signal(signal.SIGKILL)
    assert far.wait(300) == 0, far.stderr.read()
    near = started([*command, "--workers", "1"], tmp_path, tmp_path / "near")
    assert near.wait(300) == 0, near.stderr.read()
    told = {"run.json", "units.parquet", "manifest.json"}
    read_all = lambda home: {p.name: p.read_bytes() for p in (home / "reports" / "shared").rglob("*")
                             if p.is_file() and p.name not in told}
    assert read_all(tmp_path / "far") == read_all(tmp_path / "near") and len(read_all(tmp_path / "near")) >= 4
    assert not list((tmp_path / "b").rglob("*.parquet")), "a worker wrote where it was not asked to"
    study = read(tmp_path / "shared.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEMIX_HOME", str(tmp_path / "far"))
        assert not pending(plan(study), study)
