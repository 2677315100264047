"""Every Python block of CONTRIBUTING runs, and every file and target that it names exists."""
import re
import subprocess
import sys

import pytest
from conftest import ROOT

TEXT = (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## ", TEXT, flags=re.M)[1:]
BLOCKS = {p.partition("\n")[0].lower(): code for p in PARTS for code in re.findall(r"```python\n(.*?)```", p, re.S)}
SAID = {"add a method": "checks passed", "add a corpus": "blank", "add a treatment": "ramro cha",
        "add an experiment": "Called", "add a study": "units"}


def test_each_page_has_one_block_and_a_list():
    for part in PARTS:
        if part.startswith("Add a"): assert part.count("```python") == 1 and part.count("- [ ]") >= 4, part[:20]
    assert set(SAID) < set(BLOCKS)


@pytest.mark.parametrize("name", SAID)
def test_a_block_runs(name):
    done = subprocess.run([sys.executable, "-c", BLOCKS[name]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert SAID[name] in done.stdout


def test_what_is_named_exists():
    for path in re.findall(r"`((?:nbs|reports|tests|codemix_nb)/[\w/.-]+)`", TEXT):
        assert (ROOT/path).exists(), path
    targets = (ROOT/"Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", TEXT): assert re.search(rf"^{target}:", targets, re.M), target


def test_what_is_called_slow_exists():
    for line in (ROOT/"tests"/"slow.txt").read_text(encoding="utf-8").split():
        file, _, name = line.partition("::")
        assert not name or f"def {name}(" in (ROOT/"tests"/file).read_text(encoding="utf-8"), line
        assert (ROOT/"tests"/file).exists(), line
