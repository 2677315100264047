"""Reproducible research on abusive language in code-mixed Nepali-English and Telugu-English.

Importing the package imports nothing heavy: a name below is fetched from its module when it is first used.
"""
from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOMES = {
    "paths": ("CodemixError",),
    "text": ("TREATMENTS", "treatment", "damage"),
    "corpora": ("Corpus", "load", "register", "read_table", "list_corpora", "describe"),
    "sameness": ("groups", "leakage"),
    "folds": ("assign",),
    "classical": ("MODELS",),
    "tuning": ("Tuned",),
    "catalogue": ("load_tokens", "load_pairs", "load_lexicon"),
    "lid": ("load_lid",),
    "annotation": ("read_annotations", "agreement"),
    "audit": ("certificate",),
    "encoders": ("embed",),
    "finetune": ("FineTuned",),
    "fewshot": ("FewShot",),
    "prompting": ("Prompted",),
    "calibration": ("Calibrated",),
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
