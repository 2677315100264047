"""The command line: what each command prints, and how it ends."""
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from codemix_nb import __version__, load
from codemix_nb.benchmark import model_of
from codemix_nb.cli import load_model, main, save_model

ROWS = [(f"{'k' * (i % 3 + 1)}asto {'bekar' if i % 2 else 'ramro'} {'abcdefgh'[i % 8]}{i}", "rude" if i % 2 else "fine") for i in range(60)]
OWN = ["--text-column", "comment", "--label-column", "verdict", "--positive", "rude"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "mine.csv"
    pd.DataFrame(ROWS, columns=["comment", "verdict"]).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    assert main(["train", "sample-ne-en", "--model", "lr-word", "--out", str(folder)]) == 0
    return str(folder)


def run(capsys, *argv):
    capsys.readouterr()
    status = main([str(a) for a in argv])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return status, shown.out, shown.err


def fails(capsys, *argv):
    status, out, err = run(capsys, *argv)
    assert status == 1 and err.startswith("codemix: ") and err.count("\n") == 1 and "unexpected" not in err, err
    return err


# How it ends ----------------------------------------------------------------------------------------------------------

def test_version(capsys):
    assert run(capsys, "--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("argv", [["no-such"], ["corpora", "no-such"], ["run"], ["run", "smoke", "--workers", "many"], ["--no-such"],
                                  ["train", "sample-ne-en"], ["run", "smoke", "--workers", "0"]])
def test_usage_errors_exit_2(capsys, argv):
    status, _, err = run(capsys, *argv)
    assert status == 2 and "Usage" in err


@pytest.mark.parametrize("argv", [["--help"], ["corpora", "--help"], *([c, "--help"] for c in ("run", "render", "verify", "train", "predict", "evaluate"))])
def test_help(capsys, argv):
    status, out, _ = run(capsys, *argv)
    assert status == 0 and "Usage" in out


def test_ours_is_one_line_and_debug_shows_where(capsys):
    assert "unknown corpus 'nowhere'" in fails(capsys, "corpora", "get", "nowhere")
    with pytest.raises(Exception, match="nowhere"): main(["corpora", "get", "nowhere", "--debug"])


def test_a_surprise_is_one_line_too(capsys, monkeypatch):
    monkeypatch.setattr("codemix_nb.corpora.list_corpora", lambda: 1 / 0)
    status, _, err = run(capsys, "corpora", "list")
    assert status == 1 and err == "codemix: unexpected ZeroDivisionError: division by zero (--debug shows where)\n"


def test_from_a_shell():
    shell = [sys.executable, "-m", "codemix_nb.cli", "corpora", "get", "nowhere"]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    shown = subprocess.run([*shell, "--debug"], capture_output=True, text=True, cwd=ROOT)
    assert shown.returncode == 1 and "Traceback" in shown.stderr


# Corpora --------------------------------------------------------------------------------------------------------------

def test_corpora_list_and_get(capsys):
    names = run(capsys, "corpora", "list")[1].split()
    assert {"ne-en-abuse", "te-en-abuse", "hold-telugu", "sample-ne-en", "sample-te-en"} <= set(names)
    status, out, _ = run(capsys, "corpora", "get", "sample-ne-en", "sample-te-en")
    assert status == 0 and out.count("comments") == 2


def test_describe_shows_the_ledger_and_no_text(capsys, table):
    status, out, _ = run(capsys, "corpora", "describe", table, *OWN)
    assert status == 0 and "published" in out and "used" in out and "60" in out
    assert not any(text in out for text, _ in ROWS)


def test_describe_names_a_wrong_column(capsys, table):
    assert "mine.csv" in (err := fails(capsys, "corpora", "describe", table)) and "'text'" in err


@pytest.mark.published
def test_describe_published(capsys):
    status, out, _ = run(capsys, "corpora", "describe", "ne-en-abuse")
    assert status == 0 and "3403" in out and "5000" in out


# Train and predict ----------------------------------------------------------------------------------------------------

def test_own_file_from_training_to_prediction(capsys, table, tmp_path):
    assert run(capsys, "train", table, *OWN, "--model", "nbsvm", "--out", tmp_path / "m")[0] == 0
    status, out, _ = run(capsys, "predict", tmp_path / "m", "kasto bekar", "kasto ramro")
    frame = pd.read_csv(io.StringIO(out), sep="\t")
    assert status == 0 and frame.label.tolist() == [1, 0] and frame.text.tolist() == ["kasto bekar", "kasto ramro"]


def test_a_model_folder_holds_no_pickle(trained):
    assert sorted(os.listdir(trained)) == ["arrays.npz", "model.json"]
    about = json.loads(open(f"{trained}/model.json").read())
    assert about["corpus"] == "sample-ne-en" and about["treatment"] == "clean" and about["generated"] is True
    with np.load(f"{trained}/arrays.npz", allow_pickle=False) as arrays: assert all(arrays[k].dtype != object for k in arrays)


def test_predictions_are_the_same_from_every_entrance(capsys, trained, tmp_path, monkeypatch):
    texts = ["ramro video cha", "kasto bekar manche", "", "दिन 🙏"]
    (tmp_path / "t.txt").write_text("\n".join(texts) + "\n")
    pd.DataFrame(dict(text=texts)).to_parquet(tmp_path / "t.parquet")
    as_text = run(capsys, "predict", trained, "--file", tmp_path / "t.txt")
    as_table = run(capsys, "predict", trained, "--file", tmp_path / "t.parquet")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(texts) + "\n"))
    from_stdin = run(capsys, "predict", trained)
    as_arguments = run(capsys, "predict", trained, "--", *texts)
    assert as_text == as_table == from_stdin == as_arguments and as_text[0] == 0 and as_text[1].count("\n") == 5


def test_json_lines_keep_the_text_whole(capsys, trained, tmp_path):
    pd.DataFrame(dict(text=["two\nlines\tand a tab"])).to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    status, out, _ = run(capsys, "predict", trained, "--file", tmp_path / "t.jsonl", "--format", "jsonl")
    line = json.loads(out)
    assert status == 0 and line["text"] == "two\nlines\tand a tab" and line["label"] == int(line["probability"] >= .5)


def test_nothing_to_predict(capsys, trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(capsys, "predict", trained)[:2] == (0, "label\tprobability\ttext\n")


def test_what_predict_refuses(capsys, trained, tmp_path):
    assert "no model here" in fails(capsys, "predict", tmp_path / "nowhere", "x")
    assert "no such file" in fails(capsys, "predict", trained, "--file", tmp_path / "nowhere.txt")
    (tmp_path / "bad.txt").write_bytes(b"fine\ncaf\xe9\n")
    assert "row 2" in (err := fails(capsys, "predict", trained, "--file", tmp_path / "bad.txt")) and "UTF-8" in err
    pd.DataFrame(dict(comment=["x"])).to_csv(tmp_path / "t.csv", index=False)
    assert "'text'" in fails(capsys, "predict", trained, "--file", tmp_path / "t.csv")
    assert run(capsys, "predict", trained, "x", "--format", "xml")[0] == 2
    assert run(capsys, "predict", trained, "x", "--file", "y.txt")[0] == 2


def test_a_damaged_model_is_one_line(capsys, trained, tmp_path):
    for name, content in (("model.json", "{"), ("model.json", '{"format": 9}'), ("model.json", "[]"), ("arrays.npz", "junk"), ("arrays.npz", "")):
        folder = tmp_path / f"{name}{len(content)}"
        shutil.copytree(trained, folder)
        (folder / name).write_text(content)
        assert str(folder) in fails(capsys, "predict", folder, "x")


def test_what_train_refuses(capsys, tmp_path, table):
    assert "unknown treatment" in fails(capsys, "train", "sample-ne-en", "--treatment", "bleach", "--out", tmp_path / "m")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    assert "not empty" in fails(capsys, "train", table, *OWN, "--out", tmp_path / "full")
    assert (tmp_path / "full" / "thesis.tex").exists()


def test_an_unknown_model_tells_the_known_ones(capsys, tmp_path):
    assert "'gpt'" in (err := fails(capsys, "train", "sample-ne-en", "--model", "gpt", "--out", tmp_path / "m")) and "bilstm" in err


def test_tuned(capsys, table, tmp_path):
    assert run(capsys, "train", table, *OWN, "--model", "lr-word", "--tune", "--out", tmp_path / "m")[0] == 0
    assert run(capsys, "predict", tmp_path / "m", "kasto bekar")[0] == 0


def small(name):
    estimator = model_of(name).make()
    quick = {"epochs": 1, "n_estimators": 5}
    return estimator.set_params(**{k: v for k, v in quick.items() if k in estimator.get_params()})


@pytest.mark.parametrize("name", ["majority", "surface", "lr-word", "lr", "rf", "svm", "svm-rbf", "nbsvm", "mlp", "cnn", "lstm", "bilstm"])
def test_every_model_of_the_paper_comes_back_from_its_folder(name, tmp_path):
    corpus = load("sample-ne-en")
    fitted = small(name).fit(corpus.texts[:150], corpus.labels[:150])
    back, about = load_model(save_model(fitted, tmp_path / "m", dict(model=name)))
    texts = [*corpus.texts[150:200], "", "दिन 🙏"]
    assert about["model"] == name
    np.testing.assert_allclose(back.predict_proba(texts), fitted.predict_proba(texts), atol=1e-6)
    assert (back.predict(texts) == fitted.predict(texts)).all()
