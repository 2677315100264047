"""Every model that can be named, the library's own and the literature's: its card says all, it keeps the contract, it
comes back from its folder, and it has not moved. A method's own notebook tests what only it does."""
import json
import re

import numpy as np
import pytest
from conftest import ROOT

from codemix_nb.evaluation.units import golden
from codemix_nb.models.base import COLOURED, check_estimator
from codemix_nb.models.encoders import tiny_model
from codemix_nb.models.registry import card_of, known, needs_of
from codemix_nb.models.saved import load_model, save_model
from codemix_nb.models.state import export_model, import_model
from codemix_nb.text import TREATMENTS

NAMES = known()
KEYS = set(re.findall(r"^@\w+\{([^,\s]+),", (ROOT/"reports"/"references.bib").read_text(encoding="utf-8"), re.M))
TEXTS = [f"{'bekar kasto manche' if i % 2 else 'ramro khana mitho'} {i % 7} k{i}z" for i in range(48)]
ASKED = [*TEXTS[:6], "ramro manche ho", "", "\u0924\u093f\u092e\u0940 \U0001f64f"]
SMALL = dict(n_estimators=10, min_df=1, epochs=3, hidden=8, filters=4, embedding=4)


def small(model, /, **sizes):
    """A model cut down to what a test can wait for."""
    return model.set_params(**{k: v for k, v in sizes.items() if k in model.get_params()})


def through_json(model):
    arrays, config = export_model(model)
    return import_model(arrays, json.loads(json.dumps(config)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Tiny models that stand in for pretrained ones."""
    folder = tmp_path_factory.mktemp("tiny")
    return dict(encoder=str(tiny_model(folder/"encoder", TEXTS)), checkpoints=None, epochs=1, n_estimators=5, rounds=1,
                model=str(tiny_model(folder/"causal", TEXTS, kind="causal")), ledger=folder/"calls.sqlite")


def test_a_name_is_one_card():
    assert len(set(NAMES)) == len(NAMES) and [card_of(name).name for name in NAMES] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_all(name):
    card = card_of(name)
    assert card.title and card.says and card.kind in COLOURED and card.version and "\n" not in card.title + card.says
    assert card.seconds > 0 and card.seconds/card_of("nbsvm").seconds > 0
    assert card.treatment in (None, *TREATMENTS) and (not card.paper or card.paper in KEYS)
    assert card.search_space and all(set(s) <= set(card.make().get_params()) for s in card.search_space)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_keeps_the_contract(name):
    card = card_of(name)
    if card.kind in ("pretrained", "asked"):
        pytest.skip(needs_of(name) or "its own notebook keeps it on a tiny model that stands in for the weights")
    assert len(check_estimator(lambda: small(card.make(), **SMALL), through_json)) >= 16


@pytest.mark.parametrize("name", NAMES)
def test_a_model_comes_back_from_its_folder(name, place, tmp_path):
    """Saved, read, saved again and read again, it says the same."""
    model = small(card_of(name).make(), **place).fit(TEXTS, np.arange(48) % 2, groups=np.arange(48))
    once, _ = load_model(save_model(model, tmp_path/"once", {}))
    twice, _ = load_model(save_model(once, tmp_path/"twice", {}))
    for back in (once, twice):
        np.testing.assert_allclose(back.predict_proba(ASKED), model.predict_proba(ASKED), atol=1e-6)
    assert type(once) is type(model) and once.n_parameters_ == model.n_parameters_
    first, second = (json.loads((tmp_path/n/"model.json").read_text())["config"] for n in ("once", "twice"))
    plain = lambda m: {k: v for k, v in m.get_params().items() if not hasattr(v, "get_params")}
    assert first == second and (card_of(name).kind == "asked" or plain(once) == plain(model))


@pytest.mark.parametrize("name", [n for n in NAMES if not card_of(n).in_rounds and card_of(n).golden is not None])
def test_behaviour_changes_only_with_its_version(name):
    why = f"{name} behaves differently: raise its version, then set the new value on its card"
    assert golden(name) == pytest.approx(card_of(name).golden, abs=5e-4), why
