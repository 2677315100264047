"""By hand, with coverage as a guide: `pip install atheris; python tests/fuzz.py FOLDER -max_total_time=600`.

The first byte chooses who reads the rest: tables of four kinds, annotation exports, studies, treatments. A reader may
refuse with a `CodemixError` of one line, and nothing else; libFuzzer keeps what broke that, and it becomes a test.
"""
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["codemix_nb"]):
    from codemix_nb import files, text
    from codemix_nb.annotation import exports
    from codemix_nb.study import spec
from codemix_nb.paths import CodemixError

PLACE = Path(tempfile.mkdtemp())
READERS = [("a.csv", files.read_records), ("a.tsv", files.read_records), ("a.jsonl", files.read_records),
           ("a.json", files.read_records), ("e.json", exports.read_annotations), ("s.yaml", spec.read)]


def one(data):
    """Give one input to its reader."""
    which = data[0] % (len(READERS) + 1) if data else len(READERS)
    if which == len(READERS):
        said = data[1:].decode("utf-8", "replace")
        for name in ("clean", "folded"): assert len(text.treatment(name)([said])) == 1
        return
    name, read = READERS[which]
    (PLACE / name).write_bytes(data[1:])
    try: read(PLACE / name)
    except CodemixError as error: assert name in str(error) and "\n" not in str(error) and len(str(error)) < 2000


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
