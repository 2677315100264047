"""A study on a real Dask scheduler whose workers see none of our folders, and are killed on the way."""
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
DASK = [sys.executable, "-m"]


def started(command, folder, home):
    environment = {**os.environ, "CODEMIX_HOME": str(home), "CODEMIX_MIRROR": "", "OMP_NUM_THREADS": "1",
                   "CODEMIX_REPORTS": str(home / "reports")}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler's file, and a way to start workers in folders of their own."""
    file = tmp_path / "scheduler.json"
    running = [started([*DASK, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                        "--no-dashboard", "--scheduler-file", str(file)], tmp_path, tmp_path / "scheduler")]

    def worker(name):
        (tmp_path / name).mkdir()
        running.append(started([*DASK, "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-nanny",
                                "--nthreads", "1", "--name", name, "--no-dashboard"], tmp_path / name, tmp_path / name))
        return running[-1]
    yield file, worker
    for process in running: process.kill()
    for process in running: process.wait()


def test_a_cluster_that_loses_all_its_workers_one_by_one_gives_the_same_bytes(tmp_path, cluster):
    file, worker = cluster
    first, second = worker("a"), worker("b")
    rows = "".join(f"kura {a}{b} {b}{a} {'ramro' if i % 2 else 'bekar'},{'ok' if i % 2 else 'bad'}\n"
                   for i, (a, b) in enumerate((a, b) for a in "kmpstgnd" for b in "aeiouchy"))
    (tmp_path / "mine.csv").write_text("text,label\n" + rows)
    (tmp_path / "shared.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "codemix_nb.cli.app", "run", str(tmp_path / "shared.yaml")]
    far = started([*command, "--dask", str(file)], tmp_path, tmp_path / "far")

    def killed(process, after):
        for _ in range(2400):
            done = len(list((tmp_path / "far" / "units").rglob("*.parquet")))
            if done >= after or far.poll() is not None: break
            time.sleep(.05)
        assert far.poll() is None, far.stderr.read()
        process.send_signal(signal.SIGKILL)
    killed(first, 3)
    killed(second, 9)
    worker("c")
    assert far.wait(300) == 0, far.stderr.read()
    near = started([*command, "--workers", "1"], tmp_path, tmp_path / "near")
    assert near.wait(300) == 0, near.stderr.read()
    told = {"run.json", "units.parquet", "manifest.json"}
    read_all = lambda home: {p.name: p.read_bytes() for p in (home / "reports" / "shared").rglob("*")
                             if p.is_file() and p.name not in told}
    assert read_all(tmp_path / "far") == read_all(tmp_path / "near") and len(read_all(tmp_path / "near")) >= 4
    for name in "abc": assert not list((tmp_path / name).rglob("*.parquet")), "a worker wrote where it was not asked to"
    study = read(tmp_path / "shared.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEMIX_HOME", str(tmp_path / "far"))
        assert not pending(plan(study), study)
