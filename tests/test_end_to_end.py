"""A study from its file to its page, as a user runs it: killed, resumed, rendered, verified, joined by a model."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from codemix_nb.cli.app import main
from codemix_nb.evaluation import results, units
from codemix_nb.evaluation.units import key_of, path_of, run_unit
from codemix_nb.kept import read_kept
from codemix_nb.experiments.base import experiments, plan
from codemix_nb.paths import paths
from codemix_nb.report.notebooks import pages_of, run_notebooks
from codemix_nb.study import run as studies
from codemix_nb.study.spec import read


def unit_files(home):
    return {p: p.stat().st_mtime_ns for p in (home / "units").rglob("*.parquet")
            if not p.name.startswith(".") and p.parent.name != "checks"}


STUDY = """study: stopped
corpora: [sample-ne-en, sample-te-en]
folds: 5
models: [majority, lr-word, nbsvm]
"""


def started(name, home, reports):
    environment = {**os.environ, "CODEMIX_HOME": str(home), "CODEMIX_REPORTS": str(reports), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "codemix_nb.cli.app", "run", str(name), "--workers", "1"]
    return subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_a_killed_run_keeps_what_it_finished(tmp_path, monkeypatch):
    (tmp_path / "stopped.yaml").write_text(STUDY)
    place = tmp_path / "stopped.yaml", tmp_path / "home", tmp_path / "reports"
    first = started(*place)
    for _ in range(1200):
        if len(unit_files(tmp_path / "home")) >= 7 or first.poll() is not None: break
        time.sleep(.05)
    assert first.poll() is None, "the run ended before it could be killed"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    survived = unit_files(tmp_path / "home")
    assert not (tmp_path / "reports" / "stopped" / "manifest.json").exists()
    second = started(*place)
    said, error = second.communicate(timeout=500)
    assert second.returncode == 0 and "%|" not in error, error
    computed, total = map(int, re.search(r"(\d+) of (\d+) units computed", said).groups())
    now = unit_files(tmp_path / "home")
    assert 7 <= len(survived) < total == len(now) and computed == total - len(survived)
    assert all(now[p] == when for p, when in survived.items()) and all(len(read_kept(p)[0]) for p in now)
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    study = read(tmp_path / "stopped.yaml")
    for unit in plan(study)[::13]:
        kept, again = read_kept(path_of(key_of(unit, study)))[0], run_unit(unit, study)[0]
        np.testing.assert_allclose(kept.probability, again.probability, atol=1e-9)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke study, its units in the home of all tests, where a notebook reads them too."""
    home, reports = paths.home, tmp_path_factory.mktemp("reports")
    run = started("smoke", home, reports)
    error = run.communicate(timeout=900)[1]
    assert run.returncode == 0, error
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEMIX_REPORTS", str(reports))
        yield dict(home=home, folder=reports / "smoke")


def test_a_second_run_computes_nothing_and_changes_nothing(smoke, capsys):
    stable = [p for p in smoke["folder"].rglob("*") if p.is_file() and p.name != "run.json"]
    before = {p: p.read_bytes() for p in stable}
    assert main(["run", "smoke"]) == 0 and "0 of " in capsys.readouterr().out
    assert {p: p.read_bytes() for p in stable} == before


def test_a_plan_computes_nothing(smoke, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("CODEMIX_REPORTS", str(tmp_path / "r"))
    assert main(["run", "smoke", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "units" in out and "minutes" in out and not (tmp_path / "r").exists() and not unit_files(tmp_path / "h")


def test_predictions_are_out_of_fold_and_groups_stay_together(smoke):
    found = results.load("smoke")
    own = found.items[(found.items.design == "grouped") & (found.items.train_fraction == 1)]
    keys = ["corpus", "treatment", "model", "tuning", "repeat"]
    assert not own.duplicated([*keys, "id"]).any() and (own.status == "ok").all()
    assert own.probability.between(0, 1).all()
    sizes = own.groupby(keys).id.nunique()
    assert all(size == (found.corpus_items.corpus == corpus).sum() for (corpus, *_), size in sizes.items())
    folds = found.folds[found.folds.design == "grouped"].merge(found.corpus_items[["corpus", "id", "group"]])
    assert (folds.groupby(["corpus", "repeat", "group"]).fold.nunique() == 1).all()
    merged = own.merge(found.folds[found.folds.design == "grouped"], on=["corpus", "repeat", "id"],
                       suffixes=("", "_published"))
    assert len(merged) == len(own) and (merged.fold == merged.fold_published).all()


def test_results_hold_no_text(smoke):
    from codemix_nb import load
    texts = {t for t in load("sample-ne-en").texts if len(t) > 20}
    for path in smoke["folder"].rglob("*.parquet"):
        frame = pd.read_parquet(path)
        assert "text" not in frame
        assert not any(texts & set(frame[c].astype(str)) for c in frame.select_dtypes(["object", "string", "category"]))


def test_what_an_audit_finds_moves_only_with_its_version(smoke):
    checks = {p.stem: pd.read_parquet(p) for p in (smoke["folder"] / "checks").glob("*.parquet")}
    sums = {name: round(float(checks[name].select_dtypes("number").sum().sum()), 1)
            for name in ("certificate", "shortcuts", "disagreements", "words", "mixing")}
    golden = {"certificate": 354.3, "shortcuts": 112.6, "disagreements": 2691, "words": 12958.9, "mixing": 1831.7}
    assert sums == pytest.approx(golden, abs=.3), "the audit moved: raise audit.VERSION, then these numbers"


def test_the_manifest_names_nothing_that_changes(smoke):
    text = (smoke["folder"] / "manifest.json").read_text()
    assert str(ROOT) not in text and str(smoke["home"]) not in text and "seconds" not in text
    assert json.loads(text)["study"]["study"] == "smoke"


# Rendering ------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rendered(smoke):
    assert main(["render", "smoke"]) == 0
    return smoke["folder"]


def test_each_experiment_says_smoke_by_itself():
    for path in sorted(paths.experiments.glob("[!_]*.ipynb")):
        tagged = [c for c in json.loads(path.read_text())["cells"] if "parameters" in c["metadata"].get("tags", [])]
        assert len(tagged) == 1 and "".join(tagged[0]["source"]).split("#")[0].strip() == 'study = "smoke"', path.name


NOT_IN_SMOKE = {"68_prompting": "no language model"}


def unasked(study):
    """Pages of questions that a study has no part for."""
    return {e.page for e in experiments() if e.block and not study.get(e.key)}


def test_every_experiment_left_its_table_or_figure_and_its_notebook(rendered):
    made = [p.stem for p in [*rendered.glob("tables/*.csv"), *rendered.glob("figures/*.svg")]]
    silent = NOT_IN_SMOKE.keys() | unasked(json.loads((rendered / "manifest.json").read_text())["study"])
    study = json.loads((rendered / "manifest.json").read_text())["study"]
    assert {p.name for p in (rendered / "notebooks").glob("*.ipynb")} == {p.name for p in pages_of(study)}
    for notebook in pages_of(study):
        if notebook.stem not in silent: assert any(m.startswith(notebook.stem) for m in made), notebook.stem
    for table in rendered.glob("tables/*.csv"): assert all(table.with_suffix(s).exists() for s in (".md", ".tex"))
    for figure in rendered.glob("figures/*.svg"): assert all(figure.with_suffix(s).exists() for s in (".pdf", ".png"))


def test_a_generated_sample_says_so_everywhere_and_prints_no_star(rendered):
    said = [*rendered.glob("tables/*.md"), *(rendered / name for name in ("index.html", "paper.tex", "README.md"))]
    for path in said: assert "generated sample" in path.read_text().lower(), path.name
    page = (rendered / "index.html").read_text()
    assert "What holds" not in page and re.search(r"test flags \d of 2 declared contrasts", page)
    assert "Beats" not in page
    for path in rendered.glob("tables/5[24]*.csv"):
        assert not re.search(r"beats|,supported,", path.read_text()), path.name
    star = re.compile(r"\d\s?(\*(?!\*)|★|\$\^\{?\*|\\star)")
    for path in [*rendered.glob("tables/*"), *said]: assert not star.search(path.read_text()), path.name


def test_the_paper_and_the_page_find_all_they_name(rendered):
    paper, readme = ((rendered / name).read_text() for name in ("paper.tex", "README.md"))
    for name in re.findall(r"\\(?:input|fit)\{(tables/[^}]+)\}", paper): assert (rendered / f"{name}.tex").exists()
    for name in re.findall(r"\\includegraphics\[[^]]*\]\{([^}]+)\}", paper): assert (rendered / name).exists()
    for name in re.findall(r"\]\(([a-z][^():]+)\)", readme): assert (rendered / name).exists(), name
    for name in re.findall(r'(?:src|href)="([^"#:]+)"', (rendered / "index.html").read_text()):
        committed = name.removeprefix("../../")  # a notebook's source, seen from reports/<study>/
        assert ((rendered / name) if committed == name else ROOT / committed).exists(), name


def test_rendering_again_runs_no_notebook_and_leaves_every_byte(rendered):
    before = {p: p.read_bytes() for p in rendered.rglob("*") if p.is_file()}
    assert run_notebooks("smoke") == [] and main(["render", "smoke"]) == 0
    assert {p: p.read_bytes() for p in rendered.rglob("*") if p.is_file()} == before


def test_verify_finds_one_changed_digit_one_handle_and_nothing_else(rendered, capsys):
    table, stray = rendered / "tables" / "52_main.csv", rendered / "tables" / "99_stray.csv"
    whole = table.read_text()
    try:
        table.write_text(re.sub(r"0\.(\d)", lambda m: f"0.{(int(m[1]) + 1) % 10}", whole, count=1))
        stray.write_text("corpus,model\nsample-ne-en,ask @somebody now\n")
        capsys.readouterr()
        assert main(["verify", "smoke"]) == 1
        lines = capsys.readouterr().out.splitlines()
    finally:
        table.write_text(whole)
        stray.unlink()
    assert {line.split(":")[0] for line in lines} == {"smoke/tables/52_main.csv", "smoke/tables/99_stray.csv"}, lines
    assert any("handle" in line for line in lines)


def test_what_cannot_be_rendered_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CODEMIX_REPORTS", str(tmp_path))
    for argv in (["render", "nowhere"], ["verify", "nowhere"], ["verify"], ["evaluate", "x.csv", "--study", "nowhere"]):
        assert main(argv) == 1 and capsys.readouterr().err.count("\n") == 1


# Somebody else's model ------------------------------------------------------------------------------------------------

def theirs(path, model="nbsvm", **change):
    found = results.load("smoke")
    keys = [k for k in results.KEYS if k != "seed" and k in found.main]
    own = found.main.merge(found.items, on=keys, suffixes=("", "_item"))
    frame = own[own.model == model][["corpus", "id", "repeat", "probability"]].assign(**change)
    frame.to_csv(path, index=False)
    return frame


def test_a_model_handed_in_gets_the_scores_it_would_get_inside(smoke, tmp_path, capsys):
    theirs(tmp_path / "mine.csv")
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "mine.csv"), "--study", "smoke"]) == 0
    out = capsys.readouterr().out
    found = results.load("smoke").main
    for corpus, score in found[found.model == "nbsvm"].groupby("corpus").macro_f1.mean().items():
        assert f"{score:.3f}" in next(line for line in out.splitlines() if line.startswith(corpus))
    assert len(re.findall(r"majority .* flagged", out)) == 2 and not re.search(r"(?<!not) supported", out)
    assert "evidence of nothing" in out


def test_labels_do_as_well_and_one_corpus_is_enough(smoke, tmp_path, capsys):
    frame = theirs(tmp_path / "x.csv")
    one = frame[frame.corpus == "sample-te-en"]
    labels = one.assign(label=(one.probability >= .5).astype(int)).drop(columns="probability")
    labels.to_csv(tmp_path / "labels.csv", index=False)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "labels.csv"), "--study", "smoke", "--against", "lr-word"]) == 0
    assert "sample-ne-en" not in capsys.readouterr().out


def test_a_model_handed_in_under_a_name_that_is_taken(smoke, tmp_path, capsys):
    theirs(tmp_path / "nbsvm.csv")
    assert main(["evaluate", str(tmp_path / "nbsvm.csv"), "--study", "smoke"]) == 1
    assert "--name" in capsys.readouterr().err
    ask = ["evaluate", str(tmp_path / "nbsvm.csv"), "--study", "smoke", "--name", "mine"]
    assert main([*ask, "--against", "gpt"]) == 1


def test_hard_comments_cannot_be_left_out(smoke, tmp_path, capsys):
    frame = theirs(tmp_path / "x.csv")
    frame.iloc[:-5].to_csv(tmp_path / "mine.csv", index=False)
    assert main(["evaluate", str(tmp_path / "mine.csv"), "--study", "smoke"]) == 1
    assert "mine.csv: 5 comments have no prediction" in capsys.readouterr().err


# A study of one's own -------------------------------------------------------------------------------------------------

@pytest.fixture
def own(tmp_path, monkeypatch):
    """A corpus in a CSV file and a study about it; `own(key=value)` writes the study, changed, and returns its path."""
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CODEMIX_REPORTS", str(tmp_path / "reports"))
    words = "ramro kasto bekar video gana manche sathi dherai".split()
    rng = np.random.default_rng(0)
    rows = [(f"n{i}", " ".join([*rng.choice(words, 4), "zz"[i % 2:] + chr(97 + i % 26) * 2 + str(i)]),
             "rude" if i % 2 else "fine") for i in range(80)]
    pd.DataFrame(rows, columns=["key", "comment", "verdict"]).to_csv(tmp_path / "mine.csv", index=False)
    corpus = dict(path=str(tmp_path / "mine.csv"), text="comment", label="verdict", positive="rude", id="key")

    def write(**changes):
        said = dict(study="mine", corpora=[corpus], folds=3, models=["majority", "lr-word"],
                    contrasts=[dict(name="words help", a="lr-word", b="majority")])
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said | changes))
        return str(tmp_path / "mine.yaml")
    write.corpus = corpus
    return write


def complaint(capsys, *argv):
    capsys.readouterr()
    assert main(list(argv)) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "unexpected" not in err, err
    return err


def test_a_file_of_ones_own_from_study_to_results(own, capsys):
    assert main(["run", own(), "--workers", "1"]) == 0
    found = results.load("mine")
    assert set(found.items.id) == {f"n{i}" for i in range(80)} and len(found.main) == 6 and not found.study["generated"]


def test_an_unknown_key_is_named(own, capsys):
    assert "mine.yaml" in (err := complaint(capsys, "run", own(fold=3))) and "'fold'" in err


@pytest.mark.parametrize("changes, expected", [
    (dict(models=["majority", "gpt"], contrasts=[]), "'gpt'"), (dict(treatment="bleach"), "'bleach'"),
    (dict(metric="vibes"), "'vibes'"),
    (dict(folds=1), "'folds'"), (dict(folds="ten"), "'folds'"), (dict(models=[]), "'models'"),
    (dict(corpora=["nowhere"]), "'nowhere'"),
    (dict(contrasts=[dict(name="x", a="lr-word", b="svm")]), "'svm'"),
    (dict(contrasts=[dict(name="x", a="lr-word")]), "contrasts.0.b"),
    (dict(folds=60), "folds")])
def test_a_study_that_cannot_be_is_one_line(own, capsys, changes, expected):
    assert expected in complaint(capsys, "run", own(**changes))


@pytest.mark.parametrize("change, expected", [
    (dict(path="nowhere.csv"), "nowhere.csv"), (dict(text="words"), "'words'"), (dict(label="mark"), "'mark'"),
    (dict(positive="foul"), "'foul'"), (dict(colour="red"), "colour")])
def test_a_wrong_corpus_in_a_study_is_one_line(own, capsys, change, expected):
    assert expected in complaint(capsys, "run", own(corpora=[{**own.corpus, **change}]))


def test_a_study_that_is_no_yaml(tmp_path, capsys):
    (tmp_path / "x.yaml").write_text("study: [\n")
    assert "x.yaml" in complaint(capsys, "run", str(tmp_path / "x.yaml"))
    (tmp_path / "x.yaml").write_text("just words\n")
    assert "x.yaml" in complaint(capsys, "run", str(tmp_path / "x.yaml"))
    assert "nowhere.yaml" in complaint(capsys, "run", str(tmp_path / "nowhere.yaml"))
    assert "smoke" in complaint(capsys, "run", "nowhere")


def test_a_treatment_that_empties_the_data_stops_a_study_unless_it_is_meant(own, capsys):
    err = complaint(capsys, "run", own(treatment="readme-devanagari"))
    assert "readme-devanagari" in err and "meant" in err
    meant = own(treatment="readme-devanagari", meant=["readme-devanagari"], models=["majority"], contrasts=[])
    assert main(["run", meant, "--workers", "1"]) == 0


def test_fresh_computes_everything_again(own, capsys):
    path = own(models=["majority"], contrasts=[])
    for argv, computed in ((["run", path], 3), (["run", path], 0), (["run", path, "--fresh"], 3)):
        capsys.readouterr()
        assert main(argv + ["--workers", "1"]) == 0 and f"{computed} of 3 units" in capsys.readouterr().out
