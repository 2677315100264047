"""Every notebook runs from top to bottom in a fresh kernel, in its own folder, and nothing is written back.

The experiments need a study's results: test_end_to_end runs each of them on the smoke study, which is their default.
"""
import os
import shutil
import tempfile

import nbformat
import pytest
from conftest import ROOT
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NBS = ROOT / "nbs"
LONG = ("04_lid.ipynb", "14a_embedded.ipynb", "15a_fewshot.ipynb", "18_audit.ipynb", "18a_suggest.ipynb", "24_explain.ipynb")  # minutes with the published files; here they run as on a machine without them
NOTEBOOKS = sorted(p for p in NBS.rglob("*.ipynb") if not any(part[0] in "_." or part == "pages" for part in p.relative_to(NBS).parts))


@pytest.fixture
def kernel():
    """A kernel manager on sockets of its own: over TCP parallel kernels race for ports."""
    folder = tempfile.mkdtemp(prefix="kernel-")
    yield AsyncKernelManager(kernel_name="python3", transport="ipc", connection_file=os.path.join(folder, "k.json"))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.relative_to(NBS).as_posix() for p in NOTEBOOKS])
def test_notebook_runs(path, kernel):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.get("language") == "python", "papermill needs kernelspec.language"
    environment = os.environ | ({"CODEMIX_MIRROR": ""} if path.name in LONG else {})
    NotebookClient(notebook, km=kernel, timeout=500, startup_timeout=180, resources={"metadata": {"path": str(path.parent)}}).execute(env=environment)
