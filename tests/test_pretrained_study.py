"""Studies with models that bring something along: embeddings, fine-tuning, a local language model, a server."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from codemix_nb.data.corpora import load
from codemix_nb.evaluation import results, units
from codemix_nb.evaluation.executor import pending
from codemix_nb.evaluation.units import key_of
from codemix_nb.experiments import benchmark, prompting
from codemix_nb.experiments.base import plan
from codemix_nb.models import encoders
from codemix_nb.models.registry import not_run
from codemix_nb.paths import CodemixError
from codemix_nb.study import run as study
from codemix_nb.study.spec import read


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CODEMIX_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def written(place, **said):
    """A study of 120 comments of a generated sample."""
    load("sample-te-en").frame[["text", "label"]].head(120).to_csv(place / "few.csv", index=False)
    path, few = place / "mine.yaml", dict(path=str(place / "few.csv"))
    path.write_text(yaml.safe_dump(dict(study="mine", corpora=[few], folds=2, inner_folds=2) | said))
    return path


def test_features_become_variants_and_missing_weights_stay_in_the_table(place, capsys):
    encoders.tiny_model(encoders.local_folder("tiny"), load("sample-te-en").texts)
    tuned = {"model": "finetuned", "params": {"encoder": "tiny", "epochs": 1, "freeze": None}}
    far = {"model": "finetuned", "params": {"encoder": "muril"}}
    path = written(place, models=["majority", "lr", "cnn", "tuned", "far"], features=["tiny", "mbert"],
                   neural_search=False, variants={"tuned": tuned, "far": far})
    checked = read(path)
    assert checked["models"] == ["majority", "lr-tiny", "lr-mbert", "cnn-tiny", "cnn-mbert", "tuned", "far"]
    assert checked["variants"]["lr-mbert"]["title"] == "LR on mBERT"
    assert list(not_run(checked)) == ["lr-mbert", "cnn-mbert", "far"]
    study.run(path, workers=1)
    said = capsys.readouterr().out
    assert "far is not run here: model 'muril' is not at hand" in said and str(place) in said
    found = results.load("mine")
    assert set(found.items.model) == {"majority", "lr-tiny", "cnn-tiny", "tuned"}
    assert str(place) not in json.dumps(found.manifest["not_run"])
    table = benchmark.tabulate(found).set_index("model")
    assert table.loc["lr-mbert"].macro_f1 != table.loc["lr-mbert"].macro_f1 and table.loc["lr-tiny"].macro_f1 > 0
    assert table.loc["tuned"].parameters > 1000
    assert (found.units.peak_mb > 10).all() and found.units.key.nunique() == len(found.units)
    assert found.units[found.units.model == "lr-tiny"].identity.str.len().gt(8).all()
    assert not pending(plan(checked), checked)


def test_other_weights_are_other_units(place):
    path = written(place, models=["lr"], features="tiny")
    encoders.tiny_model(encoders.local_folder("tiny"), ["a b c"] * 9)
    before = key_of(plan(read(path))[0], read(path))
    encoders.tiny_model(encoders.local_folder("tiny"), ["a b c"] * 9, seed=1)
    assert key_of(plan(read(path))[0], read(path)) != before


@pytest.mark.parametrize("said, why", [
    (dict(models=["a"], variants={"a": {"model": "nbsvm", "features": "mbert"}}), "'nbsvm' does not run on embeddings"),
    (dict(models=["majority"], features=3), "features"),
    (dict(models=["majority"], explain={"models": ["nope"]}), "explain.models")])
def test_a_wrong_study_names_its_key(place, said, why):
    with pytest.raises(CodemixError, match=why): read(written(place, **said))


def test_a_local_language_model_runs_in_a_study(place):
    model = encoders.tiny_model(place / "causal", load("sample-te-en").texts[:200], kind="causal")
    path = written(place, models=["majority", "asked"],
                   variants={"asked": {"model": "prompted", "params": {"model": str(model), "shots": 2}}})
    study.run(path, workers=1)
    found = results.load("mine")
    assert set(found.items[found.items.model == "asked"].status) == {"ok"}
    assert found.items[found.items.model == "asked"].treatment.eq("raw").all()
    assert prompting.tabulate(found).answered.eq(1).all()


class Clerk(BaseHTTPRequestHandler):
    """A server that labels by length, refuses every fifth comment and rambles at every seventh."""
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        n = len(asked)
        answer = '{"label": "abusive"}' if n % 2 else '{"label": "not abusive"}'
        if n % 5 == 0: answer = "I can't help with that."
        elif n % 7 == 0: answer = "well, it depends"
        body = json.dumps(dict(id="x", object="chat.completion", created=0, model="clerk",
                               usage=dict(prompt_tokens=9, completion_tokens=3, total_tokens=12),
                               choices=[dict(index=0, finish_reason="stop",
                                             message=dict(role="assistant", content=answer))])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_study_from_elsewhere_sends_nothing_to_a_host_that_nobody_named(place, monkeypatch):
    monkeypatch.setenv("FAR_KEY", "sk-not-to-be-seen")
    there = {"base_url": "https://far.invalid/v1", "key_variable": "FAR_KEY", "retries": 0, "give_up": 1}
    path = written(place, models=["majority", "asked"],
                   variants={"asked": {"model": "prompted", "params": {"model": "clerk", "server": there}}})
    with pytest.raises(CodemixError, match=r"to far.invalid, with the key in FAR_KEY; .*--send-to far.invalid"):
        study.run(path, workers=1)
    with pytest.raises(CodemixError, match="--send-to"): study.run(path, workers=1, send_to=("other.invalid",))
    with pytest.raises(CodemixError, match="far.invalid: nobody answers there"):
        study.run(path, workers=1, send_to=("far.invalid",))


def test_a_server_runs_in_a_study_and_refusals_count_as_errors(place, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-seen")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Clerk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        there = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "retries": 1, "backoff": 0.01}
        asked = {"model": "prompted", "params": {"model": "clerk", "server": there}}
        path = written(place, models=["majority", "asked"], variants={"asked": asked})
        study.run(path, workers=1)
    finally: server.shutdown()
    found = results.load("mine")
    rows = found.items[found.items.model == "asked"]
    assert {"ok", "refused", "failed"} == set(rows.status)
    silent = rows[rows.status != "ok"]
    assert ((silent.probability >= .5).astype(int) != silent.label).all() and rows.probability.notna().all()
    assert abs(1 - prompting.tabulate(found).pipe(lambda t: (t.answered + t.refused + t.failed)).mean()) < 1e-9
    study.run(path, workers=1)
    assert not [p for p in place.rglob("*") if p.is_file() and b"sk-not-to-be-seen" in p.read_bytes()]
