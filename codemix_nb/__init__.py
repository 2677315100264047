"""Reproducible research on abusive language in code-mixed Nepali-English and Telugu-English.

Importing the package imports nothing heavy: a name below is fetched from its module when it is first used.
"""
from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOMES = {
    "paths": ("CodemixError",),
    "text": ("TREATMENTS", "treatment", "damage"),
    "data.corpora": ("Corpus", "load", "register", "read_table", "list_corpora", "describe"),
    "data.sameness": ("groups", "leakage"),
    "data.folds": ("assign",),
    "models.classical": ("MODELS",),
    "models.tuning": ("Tuned",),
    "data.catalogue": ("load_tokens", "load_pairs", "load_lexicon"),
    "language.lid": ("load_lid",),
    "annotation.exports": ("read_annotations",),
    "annotation.agreement": ("agreement",),
    "evaluation.audit": ("certificate",),
    "models.encoders": ("embed",),
    "models.finetune": ("FineTuned",),
    "models.fewshot": ("FewShot",),
    "models.prompting": ("Prompted",),
    "models.calibrated": ("Calibrated",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name):
    if name in _HOME_OF:
        value = getattr(_import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME_OF])
