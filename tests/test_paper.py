"""The numbers of the committed study: claims that the README makes, held against the item-level results."""
import pytest
from conftest import ROOT

from codemix_nb.evaluation import results, significance
from codemix_nb.experiments import by_source, coming_star
from codemix_nb.experiments.findings import findings

pytestmark = pytest.mark.skipif(not (ROOT / "reports/paper/results.parquet").exists(),
                                reason="reports/paper is not committed yet")

NE, TE = "ne-en-abuse", "te-en-abuse"


@pytest.fixture(scope="module")
def paper():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield results.load("paper")


def mean(scores, corpus, model):
    return scores[(scores.corpus == corpus) & (scores.model == model)].macro_f1.mean()


def test_ten_by_ten_for_classical_one_by_ten_for_neural(paper):
    units = paper.main.groupby(["corpus", "model"]).size().unstack("corpus")
    neural = ["mlp", "cnn", "lstm", "bilstm"]
    assert set(units.index) == set(paper.study["models"])
    assert (units.loc[neural] == 10).all(None) and (units.drop(neural) == 100).all(None)


@pytest.mark.parametrize("corpus, least", [(NE, .755), (TE, .937)])
def test_the_best_model_reaches_what_is_promised(paper, corpus, least):
    assert max(mean(paper.main, corpus, m) for m in paper.study["models"]) >= least


@pytest.mark.parametrize("corpus, expected", [(NE, .359), (TE, .375)])
def test_the_majority_scores_what_it_must(paper, corpus, expected):
    assert mean(paper.main, corpus, "majority") == pytest.approx(expected, abs=.003)


def test_the_literal_cleaning_rule_collapses_to_the_majority(paper):
    for corpus, rule in paper.study["published_rule"]["treatments"].items():
        found = paper.scores[(paper.scores.corpus == corpus) & (paper.scores.treatment == rule)
                             & (paper.scores.model != "majority")]
        assert len(found) and found.macro_f1.mean() == pytest.approx(mean(paper.main, corpus, "majority"), abs=.02)


def test_the_capital_letter_gives_rows_without_an_id_away(paper):
    own = paper.items[(paper.items.corpus == NE) & (paper.items.model == "surface") & (paper.items.design == "grouped")
                      & (paper.items.repeat == 0)]
    own = own[own.tuning == "nested"].merge(paper.corpus_items[["corpus", "id", "source"]], on=["corpus", "id"])
    score = {source: results.metrics(part.label, part.probability)["macro_f1"]
             for source, part in own.groupby("source")}
    assert score["no-id"] > .7 and score["no-id"] > score["id"] + .15


def test_leakage_is_small_in_every_grouped_fold(paper):
    grouped = paper.units[(paper.units.design == "grouped")]
    assert grouped.groupby("corpus").leakage.mean().max() < .03


def test_every_comment_of_a_repeat_is_predicted_once_by_a_model_that_did_not_see_its_group(paper):
    folds = paper.folds[paper.folds.design == "grouped"].merge(paper.corpus_items[["corpus", "id", "group"]],
                                                               on=["corpus", "id"])
    assert (folds.groupby(["corpus", "repeat", "group"]).fold.nunique() == 1).all()
    own = paper.items[(paper.items.design == "grouped") & (paper.items.train_fraction == 1)]
    assert not own.duplicated(["corpus", "treatment", "model", "tuning", "repeat", "id"]).any()


def test_the_corrected_test_keeps_its_level_on_halves_that_share_both_labels_and_class_luck_breaks_the_plain_one(paper):
    table = significance.null_pairs_table(paper.checks["null_pairs"], paper.study["alpha"])
    table = table.set_index(["corpus", "design", "test"])
    assert table.xs("plain, one repeat", level="test").groupby("design").pairs.sum().ge(500).all()
    for corpus in (NE, TE):
        rate = lambda design, test: table.loc[(corpus, design, test)]
        assert rate("halves", "corrected, all repeats").rate < .05
        assert rate("halves", "corrected, all repeats, k − 1").rate < .05
        assert rate("halves", "corrected, one repeat").rate < .05
        assert rate("coin halves", "plain, one repeat").low > .15
        assert rate("coin halves", "plain, one repeat").rate > 3*rate("halves", "plain, one repeat").rate


def test_stars_stand_on_declared_contrasts_only(paper):
    table = significance.contrast_table(paper.main, paper.study)
    declared = {c["name"] for c in paper.study["contrasts"]}
    assert set(table.contrast) == declared and set(table[table.star].verdict) <= {"supported"}


def test_the_watched_contrast_is_the_declared_one_and_its_seeds_are_counted(paper):
    table = coming_star.tabulate(paper)
    assert {(a, b) for a, b in zip(table.a, table.b)} == {("svm-rbf", "svm")}
    counts = table.groupby("corpus")[["significant_plain", "significant_corrected"]].sum()
    assert counts.loc[NE].tolist() == [1, 0] and counts.loc[TE].tolist() == [3, 1]


def test_no_fragment_of_a_word_is_shown(paper):
    from codemix_nb.data.masking import is_ordinary
    fragments = paper.terms[paper.terms.kind == "char"].term.str.strip("‹›")
    assert len(fragments)
    assert all(not set(f) - set("•_") or is_ordinary(f.replace("_", " "), "char") for f in fragments)


def test_what_holds_is_declared_and_what_is_highest_only_measured(paper):
    found = findings(paper)
    held = found[found.kind == "holds"].sentence
    assert len(held) == 6 and held.iloc[1:].str.contains("Holm p").all() and not held.str.contains("highest|best").any()
    facts = "highest mean|the audit of the corpus|Pairs of models that do not differ"
    assert found[found.kind == "measured"].sentence.str.contains(facts).all()
    laxer = found[found.sentence.str.startswith("Supported only by a laxer choice")].sentence
    assert len(laxer) == 1 and laxer.iloc[0].count("NB-SVM over CNN on Nepali-English") == 1
    said = " ".join(found.sentence)
    for rate in ("6.0", "7.2", "0.8", "22.8", "32.0", "3.6", "10.4", "5.6"):
        assert f"{rate}\u00a0%" in said, rate


def test_across_sources_stands_beside_the_same_source_within_the_folds(paper):
    table = by_source.tabulate(paper).set_index(["model", "tested_on"])
    row = table.loc[("nbsvm", "id")]
    assert row.train_across == 528 and row["rows"] == 2874 and row.inside == pytest.approx(.760, abs=.001)
    assert row.across == pytest.approx(.564, abs=.001)


def test_other_corpora_lift_the_open_track_over_its_target():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        hold = results.load("hold")
    scores = hold.main.groupby("model").macro_f1.mean()
    helped = [name for name, v in hold.study["variants"].items() if v.get("auxiliary")]
    assert helped and scores[helped].max() >= .77 and scores["majority"] < .35
