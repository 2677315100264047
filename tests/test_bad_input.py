"""What a user can get wrong is answered with one line that names the file, the row and the column or key."""
import json

import pandas as pd
import pytest

from codemix_nb.data.corpora import fetch, load, NE_EN, read_table, Source
from codemix_nb.paths import CodemixError

ROWS = [("you are fine", "no"), ("you are an owl", "yes"), ("what a day", "no"), ("go away owl", "yes")]


def table(path, rows=ROWS, columns=("text", "label")):
    frame = pd.DataFrame(rows, columns=list(columns))
    if path.suffix == ".csv": frame.to_csv(path, index=False)
    if path.suffix == ".tsv": frame.to_csv(path, index=False, sep="\t")
    if path.suffix == ".xlsx": frame.to_excel(path, index=False)
    if path.suffix == ".parquet": frame.to_parquet(path)
    if path.suffix == ".jsonl": frame.to_json(path, orient="records", lines=True)
    return path


def complaint(call, *args, **kwargs):
    with pytest.raises(CodemixError) as caught: call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


KINDS = [".csv", ".tsv", ".xlsx", ".parquet", ".jsonl"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_reads_the_same(tmp_path, kind):
    corpus = read_table(table(tmp_path / f"mine{kind}"), positive="yes")
    assert corpus.texts == [t for t, _ in ROWS] and corpus.labels.tolist() == [0, 1, 0, 1]
    assert corpus.ledger.iloc[[0, -1]].step.tolist() == ["published", "used"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_column_names_file_and_columns(tmp_path, kind):
    message = complaint(read_table, table(tmp_path / f"mine{kind}"), text="comment", positive="yes")
    assert f"mine{kind}" in message and "'comment'" in message and "label" in message


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_only(tmp_path, kind):
    message = complaint(read_table, table(tmp_path / f"mine{kind}", [(t, "yes") for t, _ in ROWS]), positive="yes")
    assert "mine" in message and "one class" in message


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_file(tmp_path, kind):
    path = tmp_path / f"mine{kind}"
    path.write_bytes(b"")
    assert f"mine{kind}" in complaint(read_table, path) and "empty" in complaint(read_table, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_and_nothing_else(tmp_path, kind):
    assert f"mine{kind}" in complaint(read_table, table(tmp_path / f"mine{kind}", []), positive="yes")


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_label_names_the_row(tmp_path, kind):
    first = {".parquet": 1, ".jsonl": 1}.get(kind, 2)
    rows = [*ROWS[:2], ("nobody judged this", None), ROWS[3]]
    message = complaint(read_table, table(tmp_path / f"mine{kind}", rows), positive="yes")
    assert f"row {first + 2}" in message and "'label'" in message and "no label" in message


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_label_names_row_and_value(tmp_path, kind):
    rows = [*ROWS[:2], ("undecided", "perhaps"), ROWS[3]]
    message = complaint(read_table, table(tmp_path / f"mine{kind}", rows), positive="yes", negative="no")
    assert "row" in message and "'perhaps'" in message and "'label'" in message


@pytest.mark.parametrize("kind", KINDS)
def test_a_duplicate_id_names_the_row(tmp_path, kind):
    rows = [(i, *row) for i, row in zip("abca", ROWS)]
    message = complaint(read_table, table(tmp_path / f"mine{kind}", rows, ("key", "text", "label")), positive="yes",
                        id="key")
    assert "'a'" in message and "'key'" in message and "row" in message


@pytest.mark.parametrize("kind", [".xlsx", ".parquet", ".jsonl"])
def test_a_file_that_is_not_what_its_name_says(tmp_path, kind):
    path = tmp_path / f"mine{kind}"
    path.write_bytes(b"this is no such thing\n")
    assert f"mine{kind}" in complaint(read_table, path)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl"])
def test_text_that_is_not_utf8_names_the_row(tmp_path, kind):
    path = table(tmp_path / f"mine{kind}")
    path.write_bytes(path.read_bytes().replace(b"what a day", b"what a \xe9t\xe9"))
    row = {".jsonl": 3}.get(kind, 4)
    assert f"mine{kind}, row {row}" in complaint(read_table, path, positive="yes")


def test_not_utf8_far_into_a_file(tmp_path):
    path = table(tmp_path / "mine.csv", ROWS * 50_000)
    path.write_bytes(path.read_bytes() + b"caf\xe9,no\n")
    assert "row 200002" in complaint(read_table, path, positive="yes")


def test_a_broken_line_of_json(tmp_path):
    path = table(tmp_path / "mine.jsonl")
    path.write_text(path.read_text() + '{"text": "half\n')
    assert "row 5" in complaint(read_table, path, positive="yes")


def test_a_ragged_line_of_csv(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,label\nfine,no\na,b,c,d\n")
    said = complaint(read_table, path, positive="yes")
    assert "mine.csv" in said and "3" in said


def test_blank_texts_are_in_the_ledger(tmp_path):
    corpus = read_table(table(tmp_path / "mine.csv", [*ROWS, ("   ", "no")]), positive="yes")
    assert len(corpus) == 4 and corpus.ledger.rows.iloc[:-1].sum() == 4 and (corpus.ledger.rows == -1).any()


def test_a_file_that_is_not_there():
    assert "nowhere.csv" in complaint(read_table, "nowhere.csv")


def test_an_unknown_corpus_tells_the_known_ones():
    assert "sample-ne-en" in complaint(load, "sample-nepali")


# Sources --------------------------------------------------------------------------------------------------------------

SOURCE = Source("owner/repo", "0" * 40, "data/file one.csv", "a" * 64)


def test_a_file_missing_from_the_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEMIX_MIRROR", str(tmp_path))
    message = complaint(fetch, SOURCE)
    assert str(tmp_path) in message and SOURCE.url in message and SOURCE.sha256 in message
    assert "CODEMIX_MIRROR" in message


def test_a_wrong_hash_tells_both(tmp_path, monkeypatch):
    import hashlib
    monkeypatch.setenv("CODEMIX_MIRROR", str(tmp_path))
    path = tmp_path / SOURCE.tail
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    message = complaint(fetch, SOURCE)
    assert SOURCE.sha256 in message and hashlib.sha256(b"something else").hexdigest() in message


@pytest.fixture
def server(tmp_path):
    """A web server on this machine's loopback, for mirrors that are URLs."""
    import functools, http.server, threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args): pass

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()


def test_a_mirror_can_be_a_url(server, tmp_path, monkeypatch):
    import dataclasses, hashlib
    monkeypatch.setenv("CODEMIX_MIRROR", server)
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    path = tmp_path / SOURCE.tail
    path.parent.mkdir(parents=True)
    path.write_bytes(b"text,label\n")
    right = dataclasses.replace(SOURCE, sha256=hashlib.sha256(b"text,label\n").hexdigest())
    message = complaint(fetch, SOURCE)
    assert SOURCE.sha256 in message and right.sha256 in message
    assert fetch(right).read_bytes() == b"text,label\n"


def test_an_unreachable_source_tells_url_hash_and_mirror(tmp_path, monkeypatch):
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("CODEMIX_MIRROR", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("CODEMIX_HOME", str(tmp_path / "home"))
    message = complaint(fetch, SOURCE)
    assert str(port) in message and SOURCE.sha256 in message and "CODEMIX_MIRROR" in message


@pytest.mark.published
def test_a_changed_byte_in_a_published_file_is_noticed(tmp_path, monkeypatch):
    whole = fetch(NE_EN).read_bytes()
    path = tmp_path / NE_EN.tail
    path.parent.mkdir(parents=True)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setenv("CODEMIX_MIRROR", str(tmp_path))
    assert NE_EN.sha256 in complaint(load, "ne-en-abuse")


@pytest.mark.published
def test_the_published_corpora_are_as_documented():
    ne, te = load("ne-en-abuse"), load("te-en-abuse")
    assert ne.ledger.rows.iloc[0] == 3403 and te.ledger.rows.iloc[-1] == 2000 and int(te.labels.sum()) == 1200
    assert set(ne.frame.source) == {"id", "no-id"}
    assert json.dumps(ne.ledger.to_dict("records"), default=str)


WORDS = [f"{'owl ' * 30}number {i} \x1b]0;owned\x07\x9b2J" for i in range(300)]


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("wrong", [dict(label="text", text="label"), dict(label="text", text="label", positive="yes"),
                                   dict(text="nowhere")])
def test_a_comment_is_never_a_message(tmp_path, kind, wrong):
    path = table(tmp_path / f"mine{kind}", [(words, "yes") for words in WORDS])
    said = complaint(read_table, path, **wrong)
    assert len(said) < 900 and said.isprintable() and said.count("owl") < 12 * 10


def test_comments_that_stand_where_a_header_should_are_named_shortly(tmp_path):
    path = table(tmp_path / "mine.parquet", [("a comment", "yes")], columns=WORDS[:2])
    said = complaint(read_table, path)
    assert len(said) < 400 and said.isprintable() and "no column 'text'" in said
