"""The generated sample is an instrument: each fault planted in it is found by the part of the project that should."""
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from codemix_nb.evaluation import units, significance
from codemix_nb.data import folds, sameness
from codemix_nb.data.sample import make
from codemix_nb.text import treatment
from codemix_nb.models.registry import model_of


def out_of_fold(corpus, name, k=5, seed=1, raw=False):
    """Probabilities from grouped folds, and the folds."""
    texts = corpus.texts if raw else treatment("clean")(corpus.texts)
    texts, y, groups = np.array(texts, dtype=object), corpus.labels, sameness.groups(corpus.texts)
    fold, out = folds.assign(y, groups, k, 1, seed)[0], np.zeros(len(y))
    for f in range(k):
        train, test = fold != f, fold == f
        out[test] = model_of(name).make().fit(texts[train], y[train], groups[train]).predict_proba(texts[test])[:, 1]
    return out, fold


@pytest.mark.parametrize("pair", ["ne-en", "te-en"])
def test_planted_duplicates_are_clustered_and_ungrouped_folds_leak(pair):
    corpus = make(pair, plant=dict(duplicates=.1))
    frame, groups = corpus.frame, sameness.groups(corpus.texts)
    of = dict(zip(frame.id, groups))
    copies = frame[frame.copy_of != ""]
    found = np.mean([of[a] == of[b] for a, b in zip(copies.id, copies.copy_of)])
    assert len(copies) > 100 and found > .9
    pairs, y = sameness.near_pairs(corpus.texts), corpus.labels
    leak = {}
    for name, fold in (("grouped", folds.assign(y, groups, 10, 1, 3)[0]),
                       ("ungrouped", folds.ungrouped(y, 10, 1, 3)[0])):
        leak[name] = np.mean([sameness.leakage(pairs, np.flatnonzero(fold != f), np.flatnonzero(fold == f))
                              for f in range(10)])
    assert leak["ungrouped"] > leak["grouped"] + .1


def test_contradicting_twins_leave_and_are_counted():
    corpus = make("ne-en", plant=dict(twins=.02))
    drops = corpus.ledger.set_index("step").rows
    assert drops["conflict"] < 0
    assert drops["published"] + drops.drop(["published", "used"]).sum() == drops["used"] == len(corpus)


def test_a_casing_shortcut_shows_in_the_surface_baseline_of_its_source():
    corpus = make("te-en", plant=dict(casing=.9, second_source=.3))
    probability, _ = out_of_fold(corpus, "surface", raw=True)
    score = {s: f1_score(corpus.labels[m], probability[m] >= .5, average="macro") for s in "ab"
             if (m := (corpus.frame.source == s).to_numpy()).any()}
    assert score["b"] > score["a"] + .15 and score["b"] > .75


def test_the_shortcut_is_gone_from_cleaned_text():
    corpus = make("te-en", plant=dict(casing=.9))
    assert not any(t != t.lower() for t in treatment("clean")(corpus.texts))


def test_a_second_source_can_be_told_apart():
    corpus = make("ne-en", plant=dict(second_source=.3))
    source = (corpus.frame.source == "b").astype(int).to_numpy()
    texts = np.array(treatment("clean")(corpus.texts), dtype=object)
    fold = folds.ungrouped(source, 3, 1, 1)[0]
    out = np.zeros(len(source))
    for f in range(3):
        out[fold == f] = model_of("lr").make().fit(texts[fold != f], source[fold != f],
                                                   np.flatnonzero(fold != f)).predict_proba(texts[fold == f])[:, 1]
    assert roc_auc_score(source, out) > .75


def test_label_noise_is_where_an_out_of_fold_model_disagrees():
    corpus = make("ne-en", plant=dict(label_noise=.1))
    probability, _ = out_of_fold(corpus, "nbsvm")
    doubt = np.where(corpus.labels == 1, 1 - probability, probability)
    flipped = corpus.frame.flipped.to_numpy(bool)
    worst = np.argsort(-doubt)[:60]
    assert roc_auc_score(flipped, doubt) > .7 and flipped[worst].mean() > 3 * flipped.mean()


def test_more_label_noise_lowers_the_score():
    scores = {}
    for share in (0, .25):
        corpus = make("te-en", plant=dict(label_noise=share))
        probability, _ = out_of_fold(corpus, "lr")
        scores[share] = f1_score(corpus.labels, probability >= .5, average="macro")
    assert scores[0] > scores[.25] + .08


def test_two_models_that_do_not_differ_get_no_star():
    corpus = make("ne-en")
    probability, fold = out_of_fold(corpus, "lr", k=10)
    rng, y = np.random.default_rng(5), corpus.labels
    rows = []
    for repeat in range(10):
        swap = rng.random(len(y)) < .5
        noise = np.clip(probability + rng.normal(0, .15, len(y)), 0, 1)
        for model, p in (("one", np.where(swap, noise, probability)), ("other", np.where(swap, probability, noise))):
            for f in range(10):
                t = np.flatnonzero((fold + repeat) % 10 == f)
                rows.append(dict(corpus="c", model=model, repeat=repeat, fold=f, n_test=len(t),
                                 train_rows=len(y) - len(t), macro_f1=f1_score(y[t], p[t] >= .5, average="macro")))
    study = dict(contrasts=[dict(name="one beats other", a="one", b="other")])
    table = significance.contrast_table(pd.DataFrame(rows), study)
    assert table.verdict[0] != "supported" and not table.star[0] and abs(table.difference[0]) < .02


def test_two_models_that_do_differ_are_supported_but_a_sample_prints_no_star():
    corpus = make("ne-en")
    rows = []
    for model in ("majority", "lr"):
        probability, fold = out_of_fold(corpus, model, k=10)
        for f in range(10):
            t = fold == f
            rows.append(dict(corpus="c", model=model, repeat=0, fold=f, n_test=t.sum(), train_rows=(~t).sum(),
                             macro_f1=f1_score(corpus.labels[t], probability[t] >= .5, average="macro")))
    study = dict(contrasts=[dict(name="words help", a="lr", b="majority")], generated=True)
    table = significance.contrast_table(pd.DataFrame(rows), study)
    assert table.verdict[0] == "supported" and not table.star[0]
