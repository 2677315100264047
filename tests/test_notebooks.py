"""Every notebook runs from top to bottom in a fresh kernel, in its own folder, and nothing is written back.

What a cell has stored as text is compared with what it says now, where the published files are at hand. A cell tagged
`varies` holds a time, a size of memory or a machine and is left out. The pages of experiments need a study's results:
test_end_to_end runs each of them on the smoke study, which is their default.
"""
import asyncio
import os
import re
import shutil
import tempfile

import nbformat
import pytest
from conftest import ROOT, mirror
from codemix_nb.report.kernels import kernel_manager
from nbclient import NotebookClient

NBS = ROOT / "nbs"
# minutes with the published files: these run as on a machine without them, and are not compared
LONG = ("04_lid.ipynb", "14a_embedded.ipynb", "15a_fewshot.ipynb", "18_audit.ipynb", "18a_suggest.ipynb",
        "24_explain.ipynb", "42_transliteration.ipynb")
LEFT_OUT = re.compile(r"(^|/)([_.]|pages/)")
NOTEBOOKS = sorted(p for p in NBS.rglob("*.ipynb") if not LEFT_OUT.search(p.relative_to(NBS).as_posix()))


@pytest.fixture
def kernel():
    """A kernel manager on sockets of its own."""
    folder = tempfile.mkdtemp(prefix="kernel-")
    manager = kernel_manager(folder)
    yield manager
    # nbclient leaves a kernel that it did not make: half a gigabyte each
    asyncio.run(manager.shutdown_kernel(now=True))
    shutil.rmtree(folder, ignore_errors=True)


def said(cell):
    """The lines that a code cell prints and shows, without pictures and addresses of objects."""
    outputs = cell.get("outputs", [])
    texts = ["".join("".join(o["text"]) for o in outputs if o.get("name") == "stdout")]
    texts += ["".join(o["data"]["text/plain"]) for o in outputs if "text/plain" in o.get("data", {})]
    lines = (re.sub(r"0x[0-9a-f]{6,}", "0x", line.rstrip()) for text in texts for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("<Figure size")]


def stale(before, after):
    """A line for each cell whose stored output is not what it says now: its number, the first line that differs."""
    out = []
    for i, (old, new) in enumerate(zip(before.cells, after.cells)):
        if old.cell_type != "code" or not old.outputs or "varies" in old.metadata.get("tags", []): continue
        a, b = said(old), said(new)
        if a == b: continue
        k = next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        out.append(f"[{i}] stored {''.join(a[k:k + 1])[:100]!r}, now {''.join(b[k:k + 1])[:100]!r}")
    return out


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.relative_to(NBS).as_posix() for p in NOTEBOOKS])
def test_notebook_runs(path, kernel):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.get("language") == "python", "papermill needs kernelspec.language"
    environment = os.environ | ({"CODEMIX_MIRROR": ""} if path.name in LONG else {})
    stored = nbformat.reads(nbformat.writes(notebook), as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, km=kernel, timeout=500, startup_timeout=180, resources=where).execute(env=environment)
    if not mirror() or path.name in LONG: return
    found = stale(stored, notebook)
    assert not found, "\n".join(["stored outputs are stale; run and save, or tag the cell `varies`:", *found])


def printed(text, **metadata):
    """A notebook of one cell that prints this, with a warning."""
    said = [nbformat.v4.new_output("stream", name=name, text=t) for name, t in (("stdout", text), ("stderr", "warned"))]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=said, metadata=metadata)])


def test_stale_outputs_are_found():
    assert stale(printed("a\nb at 0x7f00aa11\n"), printed("a  \nb at 0x7f00bb22")) == []
    assert stale(printed("a\nb\n"), printed("a\nc\n")) == ["[0] stored 'b', now 'c'"]
    assert stale(printed("a\n"), printed("a\nb\n")) == ["[0] stored '', now 'b'"]
    assert stale(printed("2 s", tags=["varies"]), printed("3 s")) == []
    assert stale(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), printed("new")) == []
