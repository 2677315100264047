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


def pytest_configure(config):
    config.addinivalue_line("markers", "published: reads the published corpora, skipped where CODEMIX_MIRROR names no folder")
    config.addinivalue_line("markers", "slow: left out of `make test-fast`")


def pytest_collection_modifyitems(items):
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
