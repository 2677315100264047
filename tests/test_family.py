"""A study of a method from its claims to its page, and a family whose verdicts nobody can change by hand."""
import shutil

import pandas as pd
import pytest

from codemix_nb.cli.app import main
from codemix_nb.evaluation.results import load
from codemix_nb.evaluation.verdicts import verdicts
from codemix_nb.paths import paths

TOY = """study: methods/toy
corpora: [sample-ne-en]
folds: 3
seed: 1
models: [lr-word, experts]
variants:
  experts: {model: lr-word, auxiliary: {how: experts, corpora: {sample-ne-en: [sample-te-en]}}}
  shuffled: {model: lr-word, auxiliary: {how: experts, corpora: [sample-te-en], permuted: true}}
crossed: {labelled: 50, deals: 1, pairs: 3, better: 0.5}
claims:
  - {key: experts.help, paper: 14, says: experts help, a: experts, b: lr-word, primary: true}
  - {key: experts.placebo, paper: 14, says: experts beat shuffled ones, a: experts, b: shuffled, primary: true}
  - {key: few.labels, says: more labels help, kind: draws, a: {model: lr-word, design: draws, labelled: 150},
     b: {model: lr-word, design: draws, labelled: 50}}
  - {key: from.elsewhere, says: characters travel, kind: fixed, metric: roc_auc,
     a: {model: lr, design: "from:sample-te-en"}, b: {model: lr-word, design: "from:sample-te-en"}}
  - {key: views.folded, says: folding costs little, a: {model: lr-word, view: folded}, b: lr-word, margin: -0.1}
  - {key: crossed.level, says: it keeps its level, kind: oracle, check: crossed_level, only: {planted: 0}}
arms:
  - {models: [lr-word], views: [folded], labelled: [50], design: draws}
pages: [69_claims, 70b_crossed, 73_experts]
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    place = tmp_path_factory.mktemp("family")
    (place / "toy.yaml").write_text(TOY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEMIX_HOME", str(place / "home"))
        patch.setenv("CODEMIX_REPORTS", str(place / "reports"))
        assert main(["run", str(place / "toy.yaml"), "--workers", "1"]) == 0
        assert main(["render", str(place / "toy.yaml")]) == 0
        yield place / "reports" / "methods" / "toy"


def test_every_claim_has_a_verdict_and_none_a_star(toy):
    table = verdicts(load("methods/toy")).set_index("claim")
    assert set(table.index) == {"experts.help", "experts.placebo", "few.labels", "from.elsewhere", "views.folded",
                                "crossed.level"}
    assert not table.verdict.isin(["supported", "not run here"]).any()
    assert table.verdict["few.labels"] == "flagged" and table.effect["few.labels"] > .05
    assert table.note["from.elsewhere"] == "exchanged within groups"
    assert table.verdict["crossed.level"] in ("holds", "fails")
    assert table.p_holm[["experts.help", "experts.placebo"]].notna().all()


def test_only_its_pages_are_rendered(toy):
    assert {p.stem for p in (toy / "notebooks").glob("*")} == {"69_claims", "70b_crossed", "73_experts"}
    made = {p.stem for p in (toy / "tables").glob("*.csv")}
    assert made == {"69_claims", "69_claims_arms", "70b_crossed", "73_experts", "73_experts_sources"}
    assert (toy / "figures" / "69_claims.svg").exists() and not (toy / "paper.tex").exists()
    page = (toy / "index.html").read_text()
    assert "Generated sample" in page and "../../../nbs/experiments/pages/69_claims.ipynb" in page


def test_arms_stand_beside_what_is_claimed(toy):
    arms = pd.read_csv(toy / "tables" / "69_claims_arms.csv")
    assert {"", "folded"} == set(arms["view"].fillna("")) and {0, 50, 150} == set(arms.labelled)


def test_a_second_run_computes_nothing(toy, capsys):
    assert main(["run", str(toy.parents[2] / "toy.yaml"), "--workers", "1"]) == 0
    assert "methods/toy: 0 of" in capsys.readouterr().out


@pytest.mark.skipif(not (paths.root / "reports" / "methods" / "verdicts.csv").exists(),
                    reason="no family is rendered here")
def test_a_verdict_that_was_changed_by_hand_is_found(tmp_path, monkeypatch):
    from codemix_nb.report.verify import _family
    shutil.copytree(paths.root / "reports" / "methods", tmp_path / "reports" / "methods")
    monkeypatch.setenv("CODEMIX_REPORTS", str(tmp_path / "reports"))
    assert _family("methods") == []
    file = tmp_path / "reports" / "methods" / "verdicts.csv"
    file.write_text(file.read_text().replace("holds", "fails", 1))
    assert _family("methods") == ["methods/verdicts.csv: differs from what its results give"]
