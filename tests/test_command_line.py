"""The command line: what each command prints, and how it ends."""
import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from codemix_nb import __version__, load
from codemix_nb.evaluation import results
from codemix_nb.models.registry import model_of
from codemix_nb.cli.app import main
from codemix_nb.data.corpora import provenance_of
from codemix_nb.models.saved import card, load_model, save_model
from codemix_nb.paths import CodemixError

word = lambda i: "".join("bcdfgmnprstk"[i*k % 12] + "aeiou"[(i + k) % 5] for k in (1, 5, 7))
ROWS = [(f"{'k' * (i % 3 + 1)}asto {'bekar' if i % 2 else 'ramro'} {word(i)} {word(7*i + 3)} {i}",
         "rude" if i % 2 else "fine") for i in range(60)]
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


def refuses(capsys, *argv):
    status, _, err = run(capsys, *argv)
    assert status == 2 and "Usage" in err, err
    return " ".join(err.split())


def type_in(monkeypatch, text):
    """Bytes or text on standard input."""
    raw = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))


def fails(capsys, *argv):
    status, out, err = run(capsys, *argv)
    assert status == 1 and err.startswith("codemix: ") and err.count("\n") == 1 and "unexpected" not in err, err
    return err


# How it ends ----------------------------------------------------------------------------------------------------------

def test_version(capsys):
    assert run(capsys, "--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("argv", [
    ["no-such"], ["corpora", "no-such"], ["run"], ["run", "smoke", "--workers", "many"], ["--no-such"],
    ["train", "sample-ne-en"], ["run", "smoke", "--workers", "0"]])
def test_usage_errors_exit_2(capsys, argv):
    status, _, err = run(capsys, *argv)
    assert status == 2 and "Usage" in err


@pytest.mark.parametrize("argv", [
    ["--help"], ["corpora", "--help"], ["results", "--help"],
    *([c, "--help"] for c in ("audit", "run", "render", "verify", "train", "predict", "folds", "evaluate"))])
def test_help(capsys, argv):
    status, out, _ = run(capsys, *argv)
    assert status == 0 and "Usage" in out


def test_ours_is_one_line_and_debug_shows_where(capsys):
    assert "unknown corpus 'nowhere'" in fails(capsys, "corpora", "get", "nowhere")
    with pytest.raises(Exception, match="nowhere"): main(["corpora", "get", "nowhere", "--debug"])


def test_a_surprise_is_one_line_too(capsys, monkeypatch):
    monkeypatch.setattr("codemix_nb.data.corpora.list_corpora", lambda: 1 / 0)
    status, _, err = run(capsys, "corpora", "list")
    assert status == 1 and err == "codemix: unexpected ZeroDivisionError: division by zero (--debug shows where)\n"


def test_from_a_shell():
    shell = [sys.executable, "-m", "codemix_nb.cli.app", "corpora", "get", "nowhere"]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    shown = subprocess.run([*shell, "--debug"], capture_output=True, text=True, cwd=ROOT)
    assert shown.returncode == 1 and "Traceback" in shown.stderr


# Corpora --------------------------------------------------------------------------------------------------------------

def test_corpora_list_and_get(capsys):
    names = run(capsys, "corpora", "list", "--names")[1].split()
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
    assert sorted(os.listdir(trained)) == ["README.md", "arrays.npz", "model.json"]
    about = json.loads(open(f"{trained}/model.json").read())
    assert about["corpus"] == "sample-ne-en" and about["treatment"] == "clean" and about["generated"] is True
    with np.load(f"{trained}/arrays.npz", allow_pickle=False) as arrays:
        assert all(arrays[k].dtype != object for k in arrays)


def test_predictions_are_the_same_from_every_entrance(capsys, trained, tmp_path, monkeypatch):
    texts = ["ramro video cha", "kasto bekar manche", "", "दिन 🙏"]
    (tmp_path / "t.txt").write_text("\n".join(texts) + "\n")
    pd.DataFrame(dict(text=texts)).to_parquet(tmp_path / "t.parquet")
    as_text = run(capsys, "predict", trained, "--file", tmp_path / "t.txt")
    as_table = run(capsys, "predict", trained, "--file", tmp_path / "t.parquet")
    type_in(monkeypatch, "\n".join(texts) + "\n")
    from_stdin = run(capsys, "predict", trained)
    as_arguments = run(capsys, "predict", trained, "--", *texts)
    assert as_text == as_table == from_stdin == as_arguments and as_text[0] == 0 and as_text[1].count("\n") == 5


def test_json_lines_keep_the_text_whole(capsys, trained, tmp_path):
    pd.DataFrame(dict(text=["two\nlines\tand a tab"])).to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    status, out, _ = run(capsys, "predict", trained, "--file", tmp_path / "t.jsonl", "--format", "jsonl")
    line = json.loads(out)
    assert status == 0 and line["text"] == "two\nlines\tand a tab" and line["label"] == int(line["probability"] >= .5)


def test_nothing_to_predict(capsys, trained, monkeypatch):
    type_in(monkeypatch, "")
    assert run(capsys, "predict", trained)[:2] == (0, "row\tlabel\tprobability\tstatus\ttext\n")


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
    for name, content in (("model.json", "{"), ("model.json", '{"format": 9}'), ("model.json", "[]"),
                          ("arrays.npz", "junk"), ("arrays.npz", ""), ("model.json", '{"format":1}'),
                          ("model.json", '{"format": 1, "config": []}'),
                          ("model.json", '{"format": 1, "config": {"kind": "LR"}}')):
        folder = tmp_path / f"{name}{len(content)}"
        shutil.copytree(trained, folder)
        (folder / name).write_text(content)
        assert str(folder) in fails(capsys, "predict", folder, "x")


def test_what_train_refuses(capsys, tmp_path, table):
    assert "unknown treatment" in fails(capsys, "train", "sample-ne-en", "--treatment", "bleach", "--out",
                                        tmp_path / "m")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    assert "not empty" in fails(capsys, "train", table, *OWN, "--out", tmp_path / "full")
    assert (tmp_path / "full" / "thesis.tex").exists()


def test_an_unknown_model_tells_the_known_ones(capsys, tmp_path):
    assert "'gpt'" in (err := fails(capsys, "train", "sample-ne-en", "--model", "gpt", "--out", tmp_path / "m"))
    assert "bilstm" in err


def test_tuned(capsys, table, tmp_path):
    assert run(capsys, "train", table, *OWN, "--model", "lr-word", "--tune", "--out", tmp_path / "m")[0] == 0
    assert run(capsys, "predict", tmp_path / "m", "kasto bekar")[0] == 0


def small(name):
    estimator = model_of(name).make()
    quick = {"epochs": 1, "n_estimators": 5}
    return estimator.set_params(**{k: v for k, v in quick.items() if k in estimator.get_params()})


@pytest.mark.parametrize("name",
                         ["majority", "surface", "lr-word", "lr", "rf", "svm", "svm-rbf", "nbsvm", "mlp", "cnn", "lstm",
                          "bilstm"])
def test_every_model_of_the_paper_comes_back_from_its_folder(name, tmp_path):
    corpus = load("sample-ne-en")
    fitted = small(name).fit(corpus.texts[:150], corpus.labels[:150])
    back, about = load_model(save_model(fitted, tmp_path / "m", dict(model=name)))
    texts = [*corpus.texts[150:200], "", "दिन 🙏"]
    assert about["model"] == name
    np.testing.assert_allclose(back.predict_proba(texts), fitted.predict_proba(texts), atol=1e-6)
    assert (back.predict(texts) == fitted.predict(texts)).all()


def test_a_fine_tuned_model_is_trained_and_asked_like_any_other(capsys, table, tmp_path, monkeypatch):
    from dataclasses import replace
    from codemix_nb.models import finetune
    from codemix_nb.models.encoders import tiny_model
    tiny = str(tiny_model(tmp_path / "encoder", [text for text, _ in ROWS]))
    make = lambda **more: finetune.FineTuned(**{"encoder": tiny, "epochs": 1, "precision": "fp32", "checkpoints": None,
                                                **more})
    monkeypatch.setitem(finetune.MODELS, "finetuned", replace(finetune.MODELS["finetuned"], make=make))
    assert run(capsys, "train", table, *OWN, "--model", "finetuned", "--out", tmp_path / "m")[0] == 0
    status, out, _ = run(capsys, "predict", tmp_path / "m", "kasto bekar")
    assert status == 0 and out.endswith("\tkasto bekar\n")


# What a user gets wrong -----------------------------------------------------------------------------------------------

def test_a_path_that_is_none_and_a_kind_that_is_unknown(capsys, tmp_path):
    assert "no such file" in (err := fails(capsys, "corpora", "describe", tmp_path / "x.csv")) and "x.csv" in err
    (tmp_path / "x.docx").write_text("x")
    assert "'.docx'" in (err := fails(capsys, "corpora", "describe", tmp_path / "x.docx")) and ".parquet" in err
    assert "a folder" in fails(capsys, "corpora", "describe", tmp_path)
    assert ".csv" in (err := fails(capsys, "corpora", "describe", "nowhere")) and "sample-ne-en" in err
    assert "read_table" not in err


@pytest.mark.parametrize("option",
                         ["--text-column", "--label-column", "--positive", "--negative", "--drop", "--id-column",
                          "--source-column", "--name", "--sheet", "--separator", "--encoding"])
def test_a_column_of_a_registered_corpus_is_refused(capsys, option, tmp_path):
    assert option in refuses(capsys, "corpora", "describe", "sample-ne-en", option, "x")
    assert option in refuses(capsys, "train", "sample-ne-en", option, "x", "--out", tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_an_option_that_the_file_has_no_use_for(capsys, table):
    assert "--sheet" in refuses(capsys, "corpora", "describe", table, *OWN, "--sheet", "x")


def test_every_option_of_an_own_file(capsys, tmp_path):
    row = lambda i, text, label: f"k{i};{text} café;{'left' if i % 3 else 'right'};{label}"
    rows = "\n".join(row(i, *pair) for i, pair in enumerate(ROWS))
    said = f"key;comment;side;verdict\n{rows}\nk99;ambiguous;left;unsure\n"
    (tmp_path / "mine.csv").write_bytes(said.encode("cp1252"))
    own = [tmp_path / "mine.csv", *OWN, "--negative", "fine", "--id-column", "key", "--source-column", "side", "--name",
           "mine", "--encoding", "cp1252", "--separator", ";"]
    assert "'unsure'" in fails(capsys, "corpora", "describe", *own)
    status, out, _ = run(capsys, "corpora", "describe", *own, "--drop", "unsure")
    assert status == 0 and "left 40, right 20" in out and re.search(r"title +mine", out)
    pd.DataFrame(ROWS, columns=["comment", "verdict"]).to_excel(tmp_path / "book.xlsx", sheet_name="second",
                                                                index=False)
    assert run(capsys, "corpora", "describe", tmp_path / "book.xlsx", *OWN, "--sheet", "second")[0] == 0
    assert "'third'" in fails(capsys, "corpora", "describe", tmp_path / "book.xlsx", *OWN, "--sheet", "third")
    (tmp_path / "t.csv").write_text("comment\tverdict\n" + "\n".join(map("\t".join, ROWS)))
    assert run(capsys, "corpora", "describe", tmp_path / "t.csv", *OWN, "--separator", "\\t")[0] == 0


def test_the_list_opens_no_file(capsys, monkeypatch):
    monkeypatch.setattr("codemix_nb.data.corpora.fetch", lambda source: 1 / 0)
    status, out, _ = run(capsys, "corpora", "list")
    assert status == 0 and re.search(r"ne-en-abuse +Nepali-English abuse +5,000 +none stated", out)


@pytest.mark.published
@pytest.mark.parametrize("name", ["ne-en-abuse", "te-en-abuse", "hold-telugu"])
def test_the_list_says_what_the_corpora_say(name):
    about = load(name).provenance
    known = provenance_of(name)
    assert (known.title, known.stated_size, known.licence) == (about.title, about.stated_size, about.licence)


def test_a_file_that_may_not_be_read_is_one_line(capsys, monkeypatch, table):
    def refuse(*_, **__): raise PermissionError(13, "Permission denied", "mine.csv")
    monkeypatch.setattr("codemix_nb.data.corpora.read_table", refuse)
    assert fails(capsys, "corpora", "describe", table) == "codemix: mine.csv: permission denied\n"


def test_a_text_may_look_like_an_option(capsys, trained):
    assert run(capsys, "predict", trained, "--", "--debug")[1].endswith("\t'--debug\n")


# Train ----------------------------------------------------------------------------------------------------------------

def never(*_, **__): raise AssertionError("trained before the place was looked at")


@pytest.fixture
def no_training(monkeypatch): monkeypatch.setattr("codemix_nb.models.saved.trained", never)


def test_the_place_is_looked_at_before_the_training(capsys, tmp_path, table, trained, no_training):
    (tmp_path / "file").write_text("x")
    assert "file" in fails(capsys, "train", table, *OWN, "--out", tmp_path / "file")
    assert "folder" in fails(capsys, "train", table, *OWN, "--out", tmp_path / "file" / "m")
    err = fails(capsys, "train", table, *OWN, "--out", trained)
    assert "holds a model already (lr-word of sample-ne-en)" in err and "--force" in err
    assert (tmp_path / "file").read_text() == "x"


def test_force_replaces_a_model(capsys, tmp_path, table):
    train = ["train", table, *OWN, "--model", "lr-word", "--out", tmp_path / "m"]
    assert run(capsys, *train)[0] == 0 and fails(capsys, *train)
    assert run(capsys, *train, "--name", "other", "--force")[0] == 0
    assert load_model(tmp_path / "m")[1]["corpus"] == "other"


def test_a_treatment_that_destroys_the_corpus(capsys, tmp_path, table):
    destroy = ["train", table, *OWN, "--treatment", "readme-devanagari", "--model", "lr-word", "--out", tmp_path / "m"]
    assert "empties 60 of 60" in (err := fails(capsys, *destroy)) and "--meant" in err and "study" not in err
    status, out, _ = run(capsys, *destroy[:-4], "--model", "majority", "--out", tmp_path / "m", "--meant")
    assert status == 0 and "60 of 60 texts emptied" in out and load_model(tmp_path / "m")[1]["emptied"] == 60


def test_a_model_with_a_treatment_of_its_own_takes_no_other(capsys, tmp_path, table):
    assert "'raw'" in refuses(capsys, "train", table, *OWN, "--model", "surface", "--treatment", "folded", "--out",
                              tmp_path / "m")
    assert run(capsys, "train", table, *OWN, "--model", "surface", "--treatment", "raw", "--out",
               tmp_path / "m")[0] == 0


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x"])
def test_seeds_that_are_none(capsys, tmp_path, seed, table):
    refuses(capsys, "train", table, *OWN, "--seed", seed, "--out", tmp_path / "m")


def test_the_card_says_what_was_learnt(capsys, table, tmp_path):
    status, out, _ = run(capsys, "train", table, *OWN, "--model", "lr-word", "--tune", "--out", tmp_path / "m")
    about, said = load_model(tmp_path / "m")[1], (tmp_path / "m" / "README.md").read_text()
    assert about["labels"] == "1 = rude; 0 = fine" and about["rows"] == 60 and about["abusive"] == 30
    assert about["treatment"] == "clean" and set(about["settings"]) == {"C"}
    assert f"C = {about['settings']['C']}" in out and f"{about['inner_macro_f1']:.3f}" in out
    assert str(about["inner_macro_f1"]) in said
    assert "1 = rude" in said and "An instrument for research" in said and not any(text in said for text, _ in ROWS)


def test_a_card_is_no_markup():
    assert "a\\|b &lt;script" in card(dict(corpus="a|b\n<script>"))


def test_an_untuned_card_names_the_defaults(trained):
    about = load_model(trained)[1]
    assert about["tuned"] == "defaults" and about["settings"]["C"] == model_of("lr-word").make().C
    assert "inner_macro_f1" not in about


def test_a_model_without_its_treatment(capsys, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "m")
    about = json.loads((tmp_path / "m" / "model.json").read_text())
    for wrong in (None, "bleach"):
        (tmp_path / "m" / "model.json").write_text(json.dumps(about | {"treatment": wrong}))
        assert "'treatment'" in fails(capsys, "predict", tmp_path / "m", "x")
    (tmp_path / "m" / "model.json").write_text(json.dumps(about | {"config": about["config"] | {"kind": "GPT"}}))
    assert "'GPT'" in fails(capsys, "predict", tmp_path / "m", "x")


# Predict --------------------------------------------------------------------------------------------------------------

def as_json(out): return [json.loads(line) for line in out.splitlines() if line]


@pytest.mark.parametrize("inside", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_line_ends_end_a_text(capsys, trained, monkeypatch, tmp_path, inside):
    (tmp_path / "t.txt").write_bytes(f"\ufeffek{inside}dui\r\ntin\n".encode())
    type_in(monkeypatch, (tmp_path / "t.txt").read_bytes())
    for argv in ([], ["--file", tmp_path / "t.txt"]):
        out = run(capsys, "predict", trained, *argv, "--format", "jsonl")[1]
        assert [json.loads(line)["text"] for line in out.rstrip("\n").split("\n")] == [f"ek{inside}dui", "tin"]


def test_standard_input_that_is_not_utf8(capsys, trained, monkeypatch):
    type_in(monkeypatch, b"fine\ncaf\xe9\n")
    assert "standard input, row 2: not UTF-8" in fails(capsys, "predict", trained)


def test_a_blank_text_gets_no_judgement(capsys, trained, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "ramro"}\n{"text": null}\n{"text": "  "}\n{"text": "bekar"}\n')
    status, out, err = run(capsys, "predict", trained, "--file", tmp_path / "t.jsonl")
    frame = pd.read_csv(io.StringIO(out), sep="\t", keep_default_na=False)
    assert status == 0 and [bool(v) for v in frame.probability] == [True, False, False, True]
    assert frame.label[1] == frame.label[2] == ""
    assert frame.row.tolist() == [1, 2, 3, 4] and frame.status.tolist() == ["ok", "blank", "blank", "ok"]
    assert err == "codemix: rows that are not ok: 2 blank (the first is row 2)\n"


def test_every_row_comes_back_with_its_number(capsys, trained, tmp_path):
    given = 'text\nramro\n\n"kasto\nbekar"\n"=1+1, dai"\n""\n#REF!\nhttps://x.np/a\n""\n'
    (tmp_path / "t.csv").write_text(given)
    status, _, err = run(capsys, "predict", trained, "--file", tmp_path / "t.csv", "--out", tmp_path / "p.csv")
    back = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert status == 0 and back.row.tolist() == [2, 3, 4, 6, 7, 8, 9, 10]
    assert back.text.tolist() == ["ramro", "", "kasto\nbekar", "'=1+1, dai", "", "#REF!", "https://x.np/a", ""]
    assert back.status.tolist() == ["ok", "blank", "ok", "ok", "blank", "artefact", "ok", "blank"]
    assert [bool(p) for p in back.probability] == [s == "ok" for s in back.status]
    assert "3 blank (the first is row 3), 1 artefact (the first is row 8)" in err


def test_a_file_without_a_header_is_predicted(capsys, trained, tmp_path):
    (tmp_path / "t.csv").write_text("a1,ramro\na2,bekar\n")
    ask = ["predict", trained, "--file", tmp_path / "t.csv", "--no-header", "--text-column", "2", "--id-column", "1"]
    assert [(r["row"], r["id"], r["text"]) for r in as_json(run(capsys, *ask, "--format", "jsonl")[1])] == [
        (1, "a1", "ramro"), (2, "a2", "bekar")]
    assert "has: 1, 2" in fails(capsys, *ask[:-4])
    pd.DataFrame(dict(text=["a"])).to_parquet(tmp_path / "t.parquet")
    assert "--no-header" in refuses(capsys, "predict", trained, "--file", tmp_path / "t.parquet", "--no-header")


def test_a_list_is_no_comment(capsys, trained, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "ramro"}\n{"text": ["a", "b"]}\n')
    assert "row 2, column 'text': holds several values" in fails(
        capsys, "predict", trained, "--file", tmp_path / "t.jsonl")


def test_ids_and_threshold(capsys, trained, tmp_path):
    (tmp_path / "t.csv").write_text("key,text\nx7,ramro\nx8,bekar\n")
    ask = ["predict", trained, "--file", tmp_path / "t.csv", "--id-column", "key", "--format", "jsonl"]
    rows = as_json(run(capsys, *ask, "--threshold", "0")[1])
    assert [(r["id"], r["label"]) for r in rows] == [("x7", 1), ("x8", 1)]
    assert [r["label"] for r in as_json(run(capsys, *ask, "--threshold", "1")[1])] == [0, 0]
    assert "no column 'id'" in fails(capsys, *ask[:-3], "id")
    (tmp_path / "t.csv").write_text("key,text\nx7,ramro\n,bekar\n")
    assert "row 3, column 'key'" in fails(capsys, *ask)
    refuses(capsys, *ask, "--threshold", "2")
    assert "--id-column" in refuses(capsys, "predict", trained, "x", "--id-column", "key")


def test_out_chooses_the_format_and_appears_whole(capsys, trained, tmp_path):
    texts = ["ramro, cha", 'kasto "bekar"\nmanche']
    pd.DataFrame(dict(text=texts)).to_parquet(tmp_path / "t.parquet")
    for suffix, read in ((".csv", pd.read_csv), (".jsonl", lambda p: pd.read_json(p, lines=True))):
        status, out, _ = run(capsys, "predict", trained, "--file", tmp_path / "t.parquet", "--out",
                             tmp_path / f"p{suffix}")
        assert status == 0 and out == "" and read(tmp_path / f"p{suffix}").text.tolist() == texts
    assert ".tsv" in refuses(capsys, "predict", trained, "x", "--out", tmp_path / "p.docx")
    (tmp_path / "folder.csv").mkdir()
    assert "a folder" in fails(capsys, "predict", trained, "x", "--out", tmp_path / "folder.csv")
    refuses(capsys, "predict", trained, "--file", tmp_path / "p.csv", "--out", tmp_path / "p.csv")


def test_a_failure_leaves_the_earlier_predictions(capsys, trained, tmp_path):
    (tmp_path / "t.txt").write_bytes(b"fine\n\xff\n")
    (tmp_path / "p.tsv").write_text("earlier")
    fails(capsys, "predict", trained, "--file", tmp_path / "t.txt", "--out", tmp_path / "p.tsv")
    assert (tmp_path / "p.tsv").read_text() == "earlier" and len(list(tmp_path.iterdir())) == 2


def test_input_without_an_end_is_predicted_as_it_comes():
    from itertools import count, islice
    from codemix_nb.cli.train import lines_of, predicted
    from codemix_nb.text import treatment
    class Half:
        def predict_proba(self, texts): return np.full((len(texts), 2), .5)
    endless = ((None, text) for text in lines_of((b"text %d\n" % i for i in count()), "x"))
    rows = islice(predicted(Half(), treatment("clean"), endless, size=4), 6)
    assert [row[4] for row in rows] == [f"text {i}" for i in range(6)]


def test_half_a_character_does_not_stop_the_others(capsys, trained):
    status, out, _ = run(capsys, "predict", trained, "ramro \ud83d", "bekar", "--format", "jsonl")
    assert status == 0 and [r["text"] for r in as_json(out)] == ["ramro �", "bekar"]


# Stop and go on -------------------------------------------------------------------------------------------------------

def test_a_stopped_run_says_how_to_go_on(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    def stop(*_, **__): raise KeyboardInterrupt
    monkeypatch.setattr("codemix_nb.study.run.run", stop)
    status, _, err = run(capsys, "run", "smoke", "--workers", "2")
    assert status == 130
    assert re.fullmatch(r"codemix: stopped; 0 of \d+ units are finished and kept; go on with: "
                        r"codemix run smoke --workers 2\n", err)


# Somebody's own predictions -------------------------------------------------------------------------------------------

KEYS = dict(study="tiny", treatment="clean", design="grouped", tuning="nested", seed=0, train_fraction=1.)


def tiny_items():
    """Ninety comments, three folds: `lr` has repeats 0 and 1, `cnn` repeat 0; repeat 2 is dealt for `lr` as well."""
    rng, y = np.random.default_rng(0), np.arange(90) % 2
    facts = pd.DataFrame(dict(corpus="c", id=[f"i{i}" for i in range(90)], label=y, group=np.arange(90)))
    dealt = [facts[["corpus", "id"]].assign(design="grouped", repeat=r, fold=rng.permutation(np.arange(90) % 3))
             for r in range(3)]
    runs = [dealt[r].assign(label=y, model=model,
                            probability=np.clip(.5 + (y - .5)*.4 + rng.normal(0, noise, 90), 0, 1),
                            status="ok", main=r < 2)
            for model, repeats, noise in (("lr", range(3), .2), ("cnn", range(1), .3)) for r in repeats]
    return facts, pd.concat(dealt, ignore_index=True), pd.concat(runs, ignore_index=True).assign(**KEYS)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    reports = tmp_path_factory.mktemp("reports")
    facts, folds, items = tiny_items()
    keys = [k for k in results.KEYS if k in items]
    units = items.groupby(keys, as_index=False).main.first().assign(train_rows=60)
    for name, frame in (("items", facts), ("folds", folds), ("results", items.drop(columns="main")), ("units", units)):
        results.write_frame(frame, reports / "tiny" / f"{name}.parquet")
    results.write_json(dict(study=dict(study="tiny", corpora=["c"], metric="macro_f1", generated=False, alpha=.05,
                                       rope=.01)), reports / "tiny" / "manifest.json")
    return reports


@pytest.fixture
def tiny(tiny_folder, monkeypatch):
    monkeypatch.setenv("CODEMIX_REPORTS", str(tiny_folder))
    return results.load("tiny")


@pytest.fixture
def hand_in(tiny, tmp_path, capsys):
    """`hand_in(lr's predictions, changed)` evaluates them; a status that is not 0 gives the line of the error."""
    def evaluate(frame=None, *argv, repeats=(0,), **changes):
        if frame is None:
            frame = tiny.items[(tiny.items.model == "lr") & tiny.items["repeat"].isin(repeats)]
            frame = frame[["corpus", "id", "repeat", "probability"]]
        frame = frame.assign(**changes).reset_index(drop=True)
        frame.to_csv(tmp_path / "mine.csv", index=False)
        status, out, err = run(capsys, "evaluate", tmp_path / "mine.csv", "--study", "tiny", *argv)
        assert status == 0 or (status == 1 and err.count("\n") == 1 and "unexpected" not in err), err
        return out if status == 0 else err
    return evaluate


def changed(values, at, value): return [value if i == at else v for i, v in enumerate(values)]


def test_the_same_predictions_tie_and_say_so(hand_in):
    out = hand_in()
    assert re.search(r"c +lr +1 .* not supported +every fold ties", out) and re.search(r"c +cnn +1 ", out)
    assert re.search(r"0\.\d{3} ± 0\.\d{3}", out)
    assert all(name in out for name in ("p_worse", "p_rope", "p_better", "p_randomisation", "p_mcnemar"))


def test_scores_are_the_ones_of_the_inside(hand_in, tiny):
    own = tiny.main[(tiny.main.model == "lr")].groupby("repeat").macro_f1
    assert f"{own.mean()[0]:.3f} ± {own.std()[0]:.3f}" in hand_in()
    both = tiny.main[tiny.main.model == "lr"].macro_f1
    assert f"{both.mean():.3f} ± {both.std():.3f}" in hand_in(repeats=(0, 1))


def test_models_are_compared_on_the_repeats_that_both_have(hand_in):
    out = hand_in(repeats=(0, 1))
    assert re.search(r"c +lr +2 ", out) and re.search(r"c +cnn +1 ", out)
    assert "c: compared on repeat 0 alone, which both have: cnn" in out
    out = hand_in(repeats=(1,))
    assert re.search(r"c +lr +1 ", out) and not re.search(r"^c +cnn ", out, re.M)
    assert "share no repeat with the predictions, which have 1: cnn" in out
    assert "nothing to compare with" in hand_in(None, "--against", "cnn", repeats=(1,))


def test_only_the_repeats_of_the_main_table_count(hand_in):
    out = hand_in(repeats=(0, 2))
    assert "repeat 2 left out: the main table has 0, 1" in out and re.search(r"c +lr +1 ", out)
    assert "row 2, column 'repeat': repeat 2 is not in the main table" in hand_in(repeats=(2,))


def test_a_model_named_twice_is_one_comparison(hand_in):
    assert hand_in(None, "--against", "cnn", "--against", "cnn") == hand_in(None, "--against", "cnn")


def test_folds_that_contradict_the_published_ones(hand_in, tiny):
    placed = tiny.items[(tiny.items.model == "lr") & (tiny.items["repeat"] == 0)]
    placed = placed[["corpus", "id", "fold", "probability"]]
    assert "every fold ties" in hand_in(placed)
    wrong = changed(placed.fold, 4, (placed.fold.iloc[4] + 1) % 3)
    assert "row 6, column 'fold'" in (err := hand_in(placed, fold=wrong)) and "counted from 0" not in err
    assert "row 2, column 'fold'" in (err := hand_in(placed, fold=placed.fold + 1)) and "counted from 0" in err


@pytest.mark.parametrize("repeat", [.5, float("inf"), -1, "x", "", 1e9])
def test_repeats_that_are_none(hand_in, repeat): assert "row 2, column 'repeat'" in hand_in(repeat=repeat)


def test_a_header_without_rows_and_a_blank_line(hand_in, tiny, tmp_path, capsys):
    assert "mine.csv: no rows under the header" in hand_in(pd.DataFrame(columns=["corpus", "id", "probability"]))
    (tmp_path / "b.csv").write_text("corpus,id,probability\n\nc,i0,.5\n\nc,i1,7\n")
    assert "b.csv, row 5, column 'probability'" in fails(capsys, "evaluate", tmp_path / "b.csv", "--study", "tiny")


def test_missing_names_are_told(hand_in):
    assert "row 3, column 'id': empty" in hand_in(id=changed([f"i{i}" for i in range(90)], 1, ""))
    assert "row 3, column 'corpus': empty" in hand_in(corpus=changed(["c"]*90, 1, ""))


def test_labels_have_no_curves(hand_in, tiny):
    own = tiny.items[(tiny.items.model == "lr") & (tiny.items["repeat"] == 0)]
    out = hand_in(own[["corpus", "id"]].assign(label=(own.probability >= .5).astype(int)))
    assert len(re.findall("–", out.splitlines()[1])) == 3 and "labels only" in out and "every fold ties" in out
    assert "labels only" in hand_in(own[["corpus", "id"]].assign(probability=(own.probability >= .5).astype(int)))
    assert "labels only" not in hand_in()


def test_a_label_beside_a_probability_is_checked(hand_in, tiny):
    own = tiny.items[(tiny.items.model == "lr") & (tiny.items["repeat"] == 0)]
    assert "column 'label' says the same" in hand_in(label=(own.probability >= .5).astype(int).tolist())
    assert "the corpus's own labels" in hand_in(label=own.label.tolist())
    assert "row 6, column 'label'" in hand_in(label=changed(own.label, 4, 1 - own.label.iloc[4]))
    assert "row 3, column 'label'" in hand_in(label=changed(own.label, 1, 5))


def test_a_study_that_judges_by_curves_needs_probabilities(tiny):
    from codemix_nb.study.elsewhere import compare, placed_on
    tiny.study["metric"] = "roc_auc"
    placed = tiny.items[(tiny.items.model == "lr") & (tiny.items["repeat"] == 0)]
    placed = placed[["corpus", "id", "repeat", "fold"]].assign(probability=1., hard=True)
    with pytest.raises(CodemixError, match="labels only"): compare(placed, tiny, "mine")


def test_evaluation_in_files(hand_in, tmp_path, capsys):
    for kind in ("csv", "json", "md"): hand_in(None, "--out", tmp_path / f"e.{kind}")
    said = json.loads((tmp_path / "e.json").read_text())
    assert said["name"] == "mine" and {r["metric"] for r in said["scores"]} == set(results.METRICS)
    assert {r["b"] for r in said["contrasts"]} == {"lr", "cnn"}
    table, page = pd.read_csv(tmp_path / "e.csv"), (tmp_path / "e.md").read_text()
    assert table.difference.tolist() == pytest.approx([r["difference"] for r in said["contrasts"]])
    assert "p_rope" in table and "star" not in table
    assert "±" in page and "every fold ties" in page
    assert ".json" in refuses(capsys, "evaluate", tmp_path / "mine.csv", "--study", "tiny", "--out",
                              tmp_path / "e.docx")


def test_the_published_folds_come_back(capsys, tiny, tmp_path):
    status, out, _ = run(capsys, "folds", "tiny")
    frame = pd.read_csv(io.StringIO(out))
    assert status == 0 and list(frame) == ["corpus", "id", "repeat", "fold"] and len(frame) == 180
    assert set(frame["repeat"]) == {0, 1}
    for name, read in (("f.csv", pd.read_csv), ("f.parquet", pd.read_parquet)):
        assert run(capsys, "folds", "tiny", "--out", tmp_path / name)[:2] == (0, "")
        assert (read(tmp_path / name).fold.to_numpy() == frame.fold.to_numpy()).all()
    frame[frame["repeat"] == 0].assign(probability=.4).to_csv(tmp_path / "flat.csv", index=False)
    assert run(capsys, "evaluate", tmp_path / "flat.csv", "--study", "tiny")[0] == 0
    assert "codemix run nowhere" in fails(capsys, "folds", "nowhere")


def test_a_study_may_be_given_by_its_file(capsys, tiny, tmp_path, monkeypatch):
    (tmp_path / "x.yaml").write_text("{study: tiny, corpora: [sample-ne-en], models: [majority]}")
    assert run(capsys, "folds", tmp_path / "x.yaml")[0] == 0
    own = tiny.items[(tiny.items.model == "lr") & (tiny.items["repeat"] == 0)]
    own[["corpus", "id", "probability"]].to_csv(tmp_path / "mine.csv", index=False)
    assert run(capsys, "evaluate", tmp_path / "mine.csv", "--study", tmp_path / "x.yaml")[0] == 0
    asked = []
    monkeypatch.setattr("codemix_nb.report.verify.verify", lambda name: asked.append(name) or [])
    assert run(capsys, "verify", tmp_path / "x.yaml")[0] == 0 and asked == ["tiny"]
