"""A copied template exports, its tests pass, it runs from top to bottom, and the library finds it: on a small copy."""
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from codemix_nb import dev
from codemix_nb.paths import CodemixError

PAGE = """
import sys
from pathlib import Path
import codemix_nb.study.run as run
from codemix_nb.dev import body, cells
from codemix_nb.evaluation.demo import demo
from codemix_nb.report.notebooks import check_parameters, experiments
dice = demo()
dice.folder = Path("reports")
run.open_study = lambda name: dice
notebook = experiments()[0]
check_parameters(notebook)
scope = {}
for cell in cells(notebook):
    if cell["cell_type"] == "code": exec(body(cell), scope)
"""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A project that holds the library, the templates and no notebook yet."""
    for name in ("settings.ini", "pyproject.toml"): shutil.copy(ROOT/name, tmp_path)
    shutil.copytree(ROOT/"codemix_nb", tmp_path/"codemix_nb", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT/"nbs"/"_templates", tmp_path/"nbs"/"_templates")
    (tmp_path/"nbs"/"experiments"/"pages").mkdir(parents=True)
    (tmp_path/"tests").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(folder, *words):
    """What another process says that sees this copy and nothing else."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def top_to_bottom(notebook):
    """The visible cells of a notebook as one script."""
    shown = (c for c in dev.cells(notebook) if c["cell_type"] == "code" and "test" not in c["directives"])
    return "\n".join(map(dev.body, shown))


PYTEST = ("-m", "pytest", "-n", "0", "-p", "no:cacheprovider")


def test_a_new_method_exports_passes_its_tests_and_is_found(copy):
    made, = dev.new("method", "word-origin")
    assert made == copy/"nbs"/"methods"/"40_word_origin.ipynb" and "my" not in dev.body(dev.cells(made)[4]).lower()
    dev.export()
    assert not [line for line in dev.lint() if made.stem[3:] in line]
    python(copy, "-c", top_to_bottom(made))
    assert "2 passed" in python(copy, *PYTEST, "tests/test_methods_word_origin.py")
    asked = "from codemix_nb.models.registry import card_of; print(card_of('word-origin').title)"
    assert python(copy, "-c", asked) == "Word origin\n"


def test_a_new_experiment_exports_passes_its_tests_and_has_a_page(copy):
    room, page = dev.new("experiment", "called-abusive")
    assert (room.name, page.name) == ("50_called_abusive.ipynb",)*2 and page.parent.name == "pages"
    dev.export()
    assert not [line for line in dev.lint() if room.stem[3:] in line] and dev.untagged() == []
    python(copy, "-c", top_to_bottom(room))
    assert "1 passed" in python(copy, *PYTEST, "tests/test_experiments_called_abusive.py")
    asked = "from codemix_nb.experiments.base import experiments; print([e.page[3:] for e in experiments()])"
    assert "'called_abusive'" in python(copy, "-c", asked)
    python(copy, "-c", PAGE)
    said = (copy/"reports"/"tables"/"50_called_abusive.md").read_text(encoding="utf-8")
    assert said.startswith("**Share of comments") and "Called abusive" in said
    written = {p.name for p in (copy/"reports").rglob("*") if p.is_file()}
    assert written == {f"50_called_abusive.{kind}" for kind in ("csv", "md", "tex", "svg", "pdf", "png")}


def test_the_next_number_and_the_next_letter(copy):
    assert [dev.new("method", name)[0].name for name in ("one", "two")] == ["40_one.ipynb", "41_two.ipynb"]
    text = (copy/"nbs"/"methods"/"40_one.ipynb").read_text()
    (copy/"nbs"/"methods"/"49_last.ipynb").write_text(text.replace("methods.one", "methods.last"))
    assert [dev.new("method", name)[0].name for name in ("after", "later")] == ["49a_after.ipynb", "49b_later.ipynb"]


@pytest.mark.parametrize("name, said", [("one", "taken by nbs/methods/40_one.ipynb"),
                                        *((name, "no name") for name in ("Word", "a_b", "", "-a"))])
def test_a_name_that_is_none_or_taken(copy, name, said):
    dev.new("method", "one")
    with pytest.raises(CodemixError, match=said): dev.new("method", name)


def test_a_long_name_makes_no_wide_line(copy):
    for kind in dev.KINDS: dev.new(kind, "somebody-and-another-twenty-five")
    dev.export()
    assert not [line for line in dev.lint() if "twenty_five" in line]
