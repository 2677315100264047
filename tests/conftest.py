"""What every test shares: a home of its own for caches, one thread each, and no network."""
import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "agg")
if "CODEMIX_TEST_HOME" not in os.environ:  # set once by the controlling process, inherited by its workers
    os.environ["CODEMIX_TEST_HOME"] = tempfile.mkdtemp(prefix="codemix-test-")
os.environ["CODEMIX_HOME"] = os.environ["CODEMIX_TEST_HOME"]
os.environ["IPYTHONDIR"] = os.path.join(os.environ["CODEMIX_TEST_HOME"], "ipython")


def mirror():
    """The folder with the published files, or nothing."""
    folder = os.environ.get("CODEMIX_MIRROR", "")
    return Path(folder) if folder and Path(folder).is_dir() else None


SLOW = ROOT / "tests" / "slow.txt"  # files, or file::test, that `make test-fast` leaves out


def pytest_addoption(parser):
    parser.addoption("--measure", type=float, metavar="SECONDS", help="write tests/slow.txt anew: what took longer")


def pytest_configure(config):
    limit = config.getoption("measure")
    if limit and not hasattr(config, "workerinput"): config.pluginmanager.register(Measure(limit))
    config.addinivalue_line("markers", "published: reads the published corpora, skipped without CODEMIX_MIRROR")
    config.addinivalue_line("markers", "slow: left out of `make test-fast`")


class Measure:
    """Seconds of every test in any of its forms, and in the end the list of the long ones; whole files stay on it."""
    def __init__(self, limit): self.limit, self.seconds = limit, {}
    def pytest_runtest_logreport(self, report):
        name = report.nodeid.removeprefix("tests/").partition("[")[0]
        self.seconds[name] = self.seconds.get(name, 0) + report.duration
    def pytest_sessionfinish(self):
        files = {line for line in slow() if "::" not in line}
        file = lambda name: name.partition("::")[0]
        seen = {file(name) for name in self.seconds}
        kept = {line for line in slow() if line in files or file(line) not in seen}
        long = {name for name, seconds in self.seconds.items() if seconds > self.limit and file(name) not in files}
        SLOW.write_text("\n".join(sorted(kept | long)) + "\n", encoding="utf-8")


def slow(): return SLOW.read_text(encoding="utf-8").split()


def pytest_collection_modifyitems(items):
    long = set(slow())
    for item in items:
        name = item.nodeid.removeprefix("tests/").partition("[")[0]
        if name in long or name.partition("::")[0] in long: item.add_marker(pytest.mark.slow)
    if mirror(): return
    skip = pytest.mark.skip(reason="needs the published corpora: set CODEMIX_MIRROR to a folder that mirrors them")
    for item in items:
        if "published" in item.keywords: item.add_marker(skip)


def pytest_unconfigure(config):
    if hasattr(config, "workerinput"): return
    import shutil
    shutil.rmtree(os.environ["CODEMIX_TEST_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def in_project_root(monkeypatch):
    """Paths are looked up from the working folder, so each test starts in the project's."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def scratch_project(tmp_path, monkeypatch):
    """A project without results: the real notebooks, a reports folder and a home of its own."""
    (tmp_path / "settings.ini").write_bytes((ROOT / "settings.ini").read_bytes())
    (tmp_path / "nbs").symlink_to(ROOT / "nbs")
    (tmp_path / "reports").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    return tmp_path
