"""Every notebook runs from top to bottom in a fresh kernel, in its own folder, and nothing is written back.

What a cell has stored as text is compared with what it says now, where the published files are at hand; a cell tagged `varies` holds a time,
a size of memory or a machine and is left out. The experiments need a study's results: test_end_to_end runs each of them on the smoke study, which
is their default.
"""
import os
import re
import shutil
import tempfile

import nbformat
import pytest
from conftest import ROOT, mirror
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NBS = ROOT / "nbs"
LONG = ("04_lid.ipynb", "14a_embedded.ipynb", "15a_fewshot.ipynb", "18_audit.ipynb", "18a_suggest.ipynb", "24_explain.ipynb")  # minutes with the published files; here they run as on a machine without them
KNOWN_STALE = ()
NOTEBOOKS = sorted(p for p in NBS.rglob("*.ipynb") if not any(part[0] in "_." or part == "pages" for part in p.relative_to(NBS).parts))


@pytest.fixture
def kernel():
    """A kernel manager on sockets of its own: over TCP parallel kernels race for ports."""
    folder = tempfile.mkdtemp(prefix="kernel-")
    yield AsyncKernelManager(kernel_name="python3", transport="ipc", connection_file=os.path.join(folder, "k.json"))
    shutil.rmtree(folder, ignore_errors=True)


def said(cell):
    """What a code cell says as plain text: what it printed, then what it showed; addresses of objects are not told apart."""
    outputs = cell.get("outputs", [])
    texts = ["".join("".join(o["text"]) for o in outputs if o.get("name") == "stdout")]
    texts += ["".join(o["data"]["text/plain"]) for o in outputs if "text/plain" in o.get("data", {})]
    return [re.sub(r"0x[0-9a-f]{6,}", "0x", line.rstrip()) for text in texts for line in text.splitlines() if line.strip()]


def stale(before, after):
    """A line for each cell whose stored output is not what it says now: its number and the first line that differs."""
    out = []
    for i, (old, new) in enumerate(zip(before.cells, after.cells)):
        if old.cell_type != "code" or not old.outputs or "varies" in old.metadata.get("tags", []): continue
        a, b = said(old), said(new)
        if a == b: continue
        k = next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        out.append(f"[{i}] stored {''.join(a[k:k + 1])[:100]!r}, now {''.join(b[k:k + 1])[:100]!r}")
    return out


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.relative_to(NBS).as_posix() for p in NOTEBOOKS])
def test_notebook_runs(path, kernel):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.get("language") == "python", "papermill needs kernelspec.language"
    environment = os.environ | ({"CODEMIX_MIRROR": ""} if path.name in LONG else {})
    stored = nbformat.reads(nbformat.writes(notebook), as_version=4)
    NotebookClient(notebook, km=kernel, timeout=500, startup_timeout=180, resources={"metadata": {"path": str(path.parent)}}).execute(env=environment)
    if mirror() and path.name not in LONG and path.relative_to(NBS).as_posix() not in KNOWN_STALE:
        assert not (found := stale(stored, notebook)), "stored outputs are stale; run the notebook and save it, or tag the cell `varies`:\n" + "\n".join(found)


def test_stale_outputs_are_found():
    cell = lambda text, **tags: nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", name="stdout", text=text), nbformat.v4.new_output("stream", name="stderr", text="warned")],
                                                          metadata=tags)
    book = lambda *cells: nbformat.v4.new_notebook(cells=list(cells))
    assert stale(book(cell("a\nb at 0x7f00aa11\n")), book(cell("a  \nb at 0x7f00bb22"))) == []
    assert stale(book(cell("a\nb\n")), book(cell("a\nc\n"))) == ["[0] stored 'b', now 'c'"]
    assert stale(book(cell("2 s", tags=["varies"]), nbformat.v4.new_code_cell("1")), book(cell("3 s"), cell("new"))) == []


def test_stale_notebooks_exist():
    assert {*KNOWN_STALE} <= {p.relative_to(NBS).as_posix() for p in NOTEBOOKS}
