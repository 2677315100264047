"""Exports of every tool in every version we know of, bad input, and a decision's way to a spreadsheet and back."""
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from codemix_nb.annotation.adjudication import add_round, adjudication_queue, to_corpus
from codemix_nb.annotation.exports import (TOOLS, _answers, argilla, doccano, hatexplain, label_studio, prodigy,
                                           read_annotations, simulate)
from codemix_nb.paths import CodemixError


def _wide(rows):
    "Annotations from one list of labels a worker."
    records = [dict(item_id=k, **{f"w{j}": label for j, label in enumerate(row)}) for k, row in enumerate(rows)]
    return read_annotations(records, tool="csv")


def _kinds(raws): return [(r.item_id, r.worker, r.label, r.why) for r in raws]


def _task(*annotations, **more):
    "A task of Label Studio."
    return dict(dict(id=1, data={}, annotations=list(annotations)), **more)


def _choice(*labels, **more):
    "An annotation of Label Studio by worker 1."
    result = dict(from_name="t", type="choices", value=dict(choices=list(labels)))
    return dict(completed_by=1, result=[result]) | more


def _rows(ledger):
    "Step → rows."
    return ledger.set_index("step").rows


def test_label_studio_versions():
    tone = dict(from_name="tone", type="choices", value=dict(choices=["fine"]))
    result = [tone, dict(from_name="tone", type="labels", value=dict(start=0, end=3, labels=["x"]))]
    a = dict(result=result, completed_by=dict(id=3, email="a@example.org", first_name="A"), was_cancelled=False,
             created_at="2024-01-01T00:00:00Z", updated_at="2024-01-02T00:00:00Z")
    raw = label_studio(_task(a, data=dict(text="x", comment_id="c9")), item="comment_id")[0]
    assert raw[:4] == ("c9", "a@example.org", ["fine"], "2024-01-02T00:00:00Z")
    assert raw.text == "x" and raw.question == "tone"
    old = dict(id=1, data=dict(text="x"), completions=[dict(result=result, skipped=True), dict(result=result)])
    assert _kinds(label_studio(old)) == [(1, None, ["fine"], "cancelled"), (1, None, ["fine"], "")]
    odd = _task(dict(result={}, completed_by=2), 77)
    assert _kinds(label_studio(odd)) == [(1, "2", None, ""), (1, None, None, "other format")]
    assert _kinds(label_studio(_task(predictions=[dict(result=result)]))) == [(1, None, None, "unlabelled")]
    two = [tone, dict(from_name="target", type="choices", value=dict(choices=["nobody"]))]
    answers = label_studio(_task(dict(result=two, completed_by=2)))
    assert [(r.question, r.label) for r in answers] == [("tone", ["fine"]), ("target", ["nobody"])]
    stars = [dict(from_name="stars", type="rating", value=dict(rating=4))]
    assert label_studio(_task(dict(result=stars, completed_by=2)))[0].label == ["4"]


def test_label_studio_min_and_csv(tmp_path):
    records = [dict(id=1, text="x", tone="fine", annotator=7, annotation_id=1, lead_time=2.0),
               dict(id=1, text="x", tone=dict(choices=["fine", "rude"]), annotator=8, annotation_id=2),
               dict(id=2, text="y", annotator=7, annotation_id=3)]
    (tmp_path/"min.json").write_text(json.dumps(records))
    found = read_annotations(tmp_path/"min.json", question="tone")
    assert found.frame.tool.tolist() == ["label-studio-min"] and found.texts == {"1": "x", "2": "y"}
    steps = {"published": 3, "several labels": -1, "no label": -1, "used": 1}
    assert steps.items() <= dict(_rows(found.ledger)).items()
    flat = lambda tone: json.dumps(tone) if isinstance(tone, dict) else tone
    pd.DataFrame([r | dict(tone=flat(r.get("tone"))) for r in records]).to_csv(tmp_path/"min.csv", index=False)
    assert read_annotations(tmp_path/"min.csv", question="tone").ledger.rows.tolist() == found.ledger.rows.tolist()


def test_argilla_versions(tmp_path):
    want = [("c1", "u1", "fine", ""), ("c1", "u2", "rude", "cancelled")]
    flat = {"id": "c1", "text": "x", "tone.responses": ["fine", "rude"], "tone.responses.users": ["u1", "u2"],
            "tone.responses.status": ["submitted", "discarded"], "tone.suggestion": "rude"}
    v1 = dict(text="x", external_id="c1", tone=[dict(user_id="u1", value="fine", status="submitted"),
                                                dict(user_id="u2", value="rude", status="discarded")])
    columns = dict(text="x", external_id="c1", tone=dict(user_id=["u1", "u2"], value=["fine", "rude"],
                                                         status=["submitted", "discarded"]))
    response = lambda who, status, tone: dict(user_id=who, status=status, values=dict(tone=dict(value=tone)))
    server = dict(external_id="c1", fields=dict(text="x"),
                  responses=[response("u1", "submitted", "fine"), response("u2", "discarded", "rude")])
    for shape in (flat, v1, columns, server):
        assert TOOLS["argilla"].recognises(shape)
        assert [(i, w, _answers(l)[0], y) for i, w, l, y in _kinds(argilla(shape))] == want
    nested = dict(id="c1", fields=dict(text="x"),
                  responses=dict(tone=[dict(value="fine", user_id="u1"), dict(value="rude", user_id="None")],
                                 stars=[dict(value=3, user_id="u1")]))
    assert _kinds(argilla(nested, question="tone")) == [("c1", "u1", "fine", ""), ("c1", None, "rude", "")]
    assert _kinds(argilla(dict(id="c2", fields={}, responses={}))) == [("c2", None, None, "unlabelled")]
    discarded = dict(id="c2", fields={}, responses=[dict(user_id="u1", status="discarded", values=None)])
    assert _kinds(argilla(discarded)) == [("c2", "u1", None, "cancelled")]
    pd.DataFrame([v1 | dict(external_id=f"c{k}") for k in range(3)]).to_parquet(tmp_path/"hub.parquet")
    assert read_annotations(tmp_path/"hub.parquet").ledger.rows.iloc[[0, -1]].tolist() == [6, 3]
    twice = {k: [v, v] for k, v in nested.items()} | dict(id=["c1", "c2"])
    (tmp_path/"columns.json").write_text(json.dumps(twice))
    assert read_annotations(tmp_path/"columns.json", question="tone").items == ["c1", "c2"]
    from datasets import Dataset
    assert len(read_annotations(Dataset.from_list([flat]))) == 1


def test_doccano_individual_shared_and_old_projects(tmp_path):
    for who, label in (("asha", ["fine"]), ("binod", ["rude"]), ("chandra", [])):
        (tmp_path/f"{who}.jsonl").write_text(json.dumps(dict(id=1, text="x", label=label, Comments=[])) + "\n")
    found = read_annotations(tmp_path)
    read = found.frame[["item_id", "worker", "label"]].to_numpy().tolist()
    assert read == [["1", "asha", "fine"], ["1", "binod", "rude"]]
    assert _rows(found.ledger)["no label"] == -1
    assert read_annotations({"anna": tmp_path/"asha.jsonl"}).workers == ["anna"]
    assert read_annotations(tmp_path/"asha.jsonl", worker="ash").workers == ["ash"]
    with pytest.raises(CodemixError, match="asha.jsonl: nothing to use in 1 annotations .1 no worker."):
        read_annotations(tmp_path/"asha.jsonl")
    shared = [dict(id=1, text="x", label=["fine"]), dict(id=2, text="y", label=[])]
    assert [why for r in shared for _, _, _, why in _kinds(doccano(r, worker="all"))] == ["", "unlabelled"]
    assert doccano(shared[0], worker="all")[0].worker is None
    assert _kinds(doccano(dict(id=1, text="x", label=["fine"], user="asha"))) == [(1, "asha", ["fine"], "")]
    assert _kinds(doccano(dict(doc_id=1, text="x", labels=["fine"], username="asha"))) == [(1, "asha", ["fine"], "")]
    assert _kinds(doccano(dict(id=1, text="x", label=[[0, 2, "NAME"]]), worker="asha"))[0][3] == "other format"
    old = [dict(id=1, text="x", annotations=[dict(label=7, user=1), dict(label=8, user=2)]),
           dict(id=2, text="y", annotations=[])]
    found = read_annotations(old, labels={"7": "fine", "8": "rude"})
    assert found.frame.label.tolist() == ["fine", "rude"] and _rows(found.ledger)["unlabelled"] == -1


def test_prodigy_choices_binary_and_sessions():
    base = dict(text="x", _input_hash=5, _timestamp=1714557600)
    read = lambda **more: _kinds(prodigy(base | more))[0]
    named = read(accept=["fine"], answer="accept", _annotator_id="tone-asha", _session_id="tone-asha")
    assert named == (5, "tone-asha", ["fine"], "")
    rejected, ignored = (read(accept=["fine"], answer="reject", _session_id="tone-asha"),
                         read(options=[], answer="ignore"))
    assert rejected[3] == ignored[3] == "cancelled"
    for session in ("tone-default", "2024-02-06_10-17-19", "tone-2024-02-06_10-17-19", None):
        assert read(accept=["a"], answer="accept", _session_id=session)[1] is None
    assert read(label="RUDE", answer="accept")[2] == "RUDE" and read(label="RUDE", answer="reject")[2] == "not RUDE"
    assert read(spans=[], answer="accept")[3] == "other format"
    assert prodigy(base | dict(label="RUDE", answer="accept"), question="KIND") == []
    old = [dict(text=t, label="RUDE", answer="accept") for t in ("x", "y", "x")]
    found = read_annotations(old, worker="asha")
    assert len(found.items) == 2 and _rows(found.ledger)["superseded"] == -1
    with pytest.raises(CodemixError, match="2 questions .RUDE, KIND.; name one"):
        read_annotations([old[0], old[1] | dict(label="KIND")], worker="asha")
    timed = read_annotations([base | dict(accept=["a"], answer="accept", _annotator_id="asha")])
    assert str(timed.frame.time[0]) == "2024-05-01 10:00:00+00:00"


def test_hatexplain_as_published_and_from_the_hub(tmp_path):
    annotators = [dict(label=label, annotator_id=who, target=["None"])
                  for who, label in ((4, "normal"), (7, "offensive"), (9, "normal"))]
    posts = {f"p{k}": dict(post_id=f"p{k}", annotators=annotators, rationales=[], post_tokens=["ramro", "chha"])
             for k in range(3)}
    (tmp_path/"dataset.json").write_text(json.dumps(posts))
    found = read_annotations(tmp_path/"dataset.json")
    assert (len(found), found.items, found.workers) == (9, ["p0", "p1", "p2"], ["4", "7", "9"])
    assert found.labels == ["normal", "offensive"] and found.texts["p0"] == "ramro chha"
    by_column = dict(label=[1, 2, 1], annotator_id=[4, 7, 9], target=[[], [], []])
    hub = [dict(id=k, post_tokens=p["post_tokens"], annotators=by_column) for k, p in posts.items()]
    assert read_annotations(hub).frame.drop(columns="time").equals(found.frame.drop(columns="time"))


def test_tables_long_wide_and_back_again(tmp_path):
    people = simulate({k: "ab"[k % 2] for k in range(20)}, {"asha": .9, "binod": .6, "chandra": "a"}, share=.7)
    people.frame.to_csv(tmp_path/"long.csv", index=False)
    columns = ["item_id", "worker", "label", "round"]
    assert read_annotations(tmp_path/"long.csv").frame[columns].equals(people.frame[columns])
    two = add_round(people, pd.DataFrame(dict(item_id=people.items[:2], decision="b", by="dipa")))
    two.frame.to_csv(tmp_path/"rounds.csv", index=False)
    assert read_annotations(tmp_path/"rounds.csv").frame["round"].value_counts().to_dict() == {1: len(people), 2: 2}
    wide = pd.DataFrame(dict(id=[1, 2, 3], text="x", ann=["a", "", ""], ben=["b", "a", ""], batch="k"))
    wide.to_csv(tmp_path/"wide.tsv", sep="\t", index=False)
    found = read_annotations(tmp_path/"wide.tsv", worker=["ann", "ben"])
    assert len(found) == 3 and _rows(found.ledger)["unlabelled"] == -1
    wide.rename(columns=dict(ann="score")).to_excel(tmp_path/"one.xlsx", index=False)
    assert read_annotations(tmp_path/"one.xlsx", question="score", worker="asha").workers == ["asha"]
    assert read_annotations(tmp_path/"one.xlsx", question="score", worker="ben").workers == ["b"]


BAD = {
    "record 2": (_task(id=2), "unlabelled"),
    "record 3": (_task(dict(result=[], completed_by=1, was_cancelled=True), id=3), "cancelled"),
    "record 4": (_task(_choice("a", completed_by=None), id=4), "no worker"),
    "record 5": (_task(dict(completed_by=1, result=[]), id=5), "no label"),
    "record 6": ({"tasks": 1}, "other format"),
    "record 7": (17, "other format"),
    "record 8": (_task(_choice("A "), id=8), ""),
    "record 9": (_task(_choice("z"), id=9), "unknown label"),
    "record 10": (dict(data={}, annotations=[_choice("a")]), "no item"),
    "record 11": (_task(_choice("a", "b"), id=11), "several labels"),
}
GOOD = _task(_choice("a"))


def test_every_fault_is_counted_and_the_rest_is_read(tmp_path):
    (tmp_path/"e.json").write_text(json.dumps([GOOD, *(r for r, _ in BAD.values())]))
    found = read_annotations(tmp_path/"e.json", labels=["a", "b"])
    assert found.frame.item_id.tolist() == ["1", "8"] and found.frame.label.tolist() == ["a", "a"]
    lines = found.ledger.set_index("step")
    assert lines.rows["published"] == 11 and lines.rows["used"] == 2 and lines.rows.iloc[:-1].sum() == 2
    assert found.skipped.place.tolist() == [f"e.json, {where}" for where, (_, why) in BAD.items() if why]
    assert found.skipped.why.tolist() == [why for _, why in BAD.values() if why]
    assert {s: -n for s, n in lines.rows.items() if n < 0} == Counter(why for _, why in BAD.values() if why)
    for where, (_, why) in BAD.items():
        if why: assert f"first: e.json, {where}" in lines.note[why] or where == "record 7"


@pytest.mark.parametrize("where", [w for w, (_, why) in BAD.items() if why])
def test_strict_stops_at_the_first_and_names_it(tmp_path, where):
    (tmp_path/"e.json").write_text(json.dumps([GOOD, BAD[where][0], BAD["record 9"][0]]))
    with pytest.raises(CodemixError) as error: read_annotations(tmp_path/"e.json", labels=["a", "b"], strict=True)
    message = str(error.value)
    assert "e.json, record 2" in message and BAD[where][1] in message and "\n" not in message
    assert len(read_annotations([GOOD], labels=["a"], strict=True)) == 1


def test_files_that_cannot_be_read_are_told_in_one_line(tmp_path):
    def says(name, data, match, **options):
        (tmp_path/name).write_bytes(data)
        with pytest.raises(CodemixError, match=match) as error: read_annotations(tmp_path/name, **options)
        assert name in str(error.value) and "\n" not in str(error.value)
    says("a.json", b"", "the file is empty")
    says("b.json", b'[{"id": 1,\n "data": }]', "row 2: not JSON")
    says("c.jsonl", b'{"text": "\xff"}', "row 1: not UTF-8")
    says("d.json", b'[{"colour": "red"}]', "record 1: no known export .its keys: colour.; known: label-studio")
    says("e.txt", b"x", "unknown kind")
    says("f.json", json.dumps([GOOD]).encode(), "nothing to use in 1 annotations .1 no label.", question="stance")
    with pytest.raises(CodemixError, match="no such file"): read_annotations(tmp_path/"none.json")
    with pytest.raises(CodemixError, match="unknown tool 'brat'"): read_annotations([GOOD], tool="brat")
    line = json.dumps(dict(text="x", accept=["a"], answer="accept", _annotator_id="w", _input_hash=1))
    (tmp_path/"g.jsonl").write_text(f"{line}\n{{broken\n\n{line.replace(': 1', ': 2')}\n")
    found = read_annotations(tmp_path/"g.jsonl")
    assert len(found) == 2 and "first: g.jsonl, row 2" in found.ledger.set_index("step").note["other format"]
    (tmp_path/"lines.json").write_text(f"{line}\n{line.replace(': 1', ': 2')}\n")
    assert len(read_annotations(tmp_path/"lines.json")) == 2


def test_the_latest_answer_counts_whatever_the_order():
    rows = [dict(item_id=1, worker="a", label="new", time="2024-02-01"),
            dict(item_id=1, worker="a", label="old", time="2024-01-01"),
            dict(item_id=1, worker="b", label="x"), dict(item_id=1, worker="b", label="y")]
    found = read_annotations(rows, tool="csv")
    assert found.frame.label.tolist() == ["new", "y"] and _rows(found.ledger)["superseded"] == -2


def test_the_queue_goes_out_and_comes_back(tmp_path):
    votes = {"=1+1": "c", "+two": "a", "'quoted": "c", "same": "a"}
    rows = [dict(item_id=item, p="a", q=q, r="b") for item, q in votes.items()]
    people = read_annotations(rows + [dict(item_id="calm", p="a", q="a", r="a")], tool="csv")
    texts = {i: f"=HYPERLINK({i})" for i in people.items}
    queue = adjudication_queue(people, texts, tmp_path/"q.csv")
    assert queue.item_id.tolist() == ["=1+1", "'quoted", "+two", "same"]
    assert np.allclose(queue.disagreement, [1, 1, 2/3, 2/3])
    assert np.isclose(queue.entropy[0], np.log2(3)) and queue.votes[2] == "a 2, b 1"
    raw = pd.read_csv(tmp_path/"q.csv", dtype=str, keep_default_na=False)
    assert not any(str(cell)[:1] in "=+-@" for cell in raw[["item_id", "text"]].to_numpy().ravel())
    raw.assign(decision="a", by="judge").to_csv(tmp_path/"q.csv", index=False)
    back = add_round(people, tmp_path/"q.csv", strict=True)
    assert set(back.frame.item_id[back.frame["round"] == 2]) == {"=1+1", "+two", "'quoted", "same"}
    assert len(adjudication_queue(back)) == 0 and len(adjudication_queue(people, limit=1)) == 1
    assert list(adjudication_queue(people, blind=True).columns) == ["item_id", "decision", "by"]


def test_decisions_that_are_not_taken_are_counted(tmp_path):
    people = _wide([("a", "b"), ("a", "b"), ("b", "a"), ("a", "b"), ("a", "b"), ("b", "b")])
    rows = pd.DataFrame(dict(item_id=["0", "9", "1", "2", "3", "4"], decision=["a", "a", "a", "z", "a", ""],
                             by=["judge", "judge", "", "judge", "w0", "judge"]))
    rows.to_csv(tmp_path/"d.csv", index=False)
    found = add_round(people, tmp_path/"d.csv")
    lines = found.ledger.set_index("step")
    assert lines.rows["round 2"] == 6 and lines.rows["used"] == 13
    for why in ("open", "unknown item", "no worker", "unknown label", "own item"):
        assert lines.rows[f"round 2: {why}"] == -1
    assert found.skipped.why.tolist() == ["unknown item", "no worker", "unknown label", "own item"]
    assert "first: d.csv, row 3" in lines.note["round 2: unknown item"]
    with pytest.raises(CodemixError, match="d.csv, row 3 .item 9.: unknown item"):
        add_round(people, tmp_path/"d.csv", strict=True)
    assert len(add_round(people, tmp_path/"d.csv", third=False)) == 14
    assert len(add_round(people, tmp_path/"d.csv", labels=["a", "z"])) == 14
    with pytest.raises(CodemixError, match="no column 'by'"): add_round(people, rows.drop(columns="by"))


def test_annotations_become_a_corpus():
    people = _wide([("a", "a", "b"), ("b", "b", "b"), ("a", "b", None), ("b", "b", None), ("a", "a", "a"),
                    ("b", "b", "b")])
    texts = {"0": "ramro chha", "1": "bus kahile", "2": "kasto", "3": " ", "4": "Bus  kahile"}
    with pytest.raises(CodemixError, match="only one class left"): to_corpus(people, {"1": "x", "5": "y"}, positive="a")
    found = to_corpus(people, texts | {"1": "aaja ghar", "6": "nobody"}, positive="a", name="toy", languages=("ne",))
    assert found.frame[["id", "label"]].to_numpy().tolist() == [["0", 1], ["1", 0], ["4", 1]]
    lines = found.ledger.set_index("step").rows
    assert [int(lines[s]) for s in ("published", "tie", "no text", "blank", "used")] == [6, -1, -1, -1, 3]
    votes = (("w0", "a"), ("w1", "a"), ("w2", "b"))
    assert found.frame.annotators[0] == [dict(worker=who, label=label, round=1) for who, label in votes]
    assert np.isclose(found.frame.probability[0], 2/3) and found.provenance.languages == ("ne",)
    with pytest.raises(CodemixError, match="no label 'abusive'; the annotations have: a, b"):
        to_corpus(people, texts, positive="abusive")


def test_lines_end_at_a_line_feed_only(tmp_path):
    odd = "one\u2028two\x85three\x0cfour"
    record = dict(text=odd, accept=["a"], answer="accept", _annotator_id="w")
    lines = [json.dumps(record | dict(_input_hash=k), ensure_ascii=False) for k in range(2)]
    (tmp_path/"p.jsonl").write_bytes("\r\n".join(lines).encode())
    found = read_annotations(tmp_path/"p.jsonl", strict=True)
    assert len(found) == 2 and found.texts["0"] == odd


def test_what_is_no_label_column_is_refused(tmp_path):
    rows = pd.DataFrame({"text": "x", "item_id": range(40), "tone.responses": [f"['fine', '{k}']" for k in range(40)]})
    rows.to_csv(tmp_path/"argilla.csv", index=False)
    with pytest.raises(CodemixError, match="argilla.csv: 40 different labels in 40 annotations; are these labels"):
        read_annotations(tmp_path/"argilla.csv")
    (tmp_path/"broken.zip").write_bytes(b"PK not a zip")
    with pytest.raises(CodemixError, match="broken.zip: not a readable zip"): read_annotations(tmp_path/"broken.zip")
    found = read_annotations([dict(id=1, annotator=2, annotation_id=3, label='{"choices": ["a"'),
                              dict(id=2, annotator=2, annotation_id=4, label="a")])
    assert found.skipped.why.tolist() == ["other format"] and found.items == ["2"]
    assert read_annotations([dict(item_id=1, worker="a", label="x")]).frame.tool.tolist() == ["csv"]


def test_brackets_without_end_are_told_in_one_line(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(CodemixError, match="deep.json, row 1: brackets nested too deep"):
        read_annotations(tmp_path / "deep.json")


def test_a_question_with_a_long_name_is_told_in_a_short_line():
    from codemix_nb.annotation.exports import Raw, _one_question
    with pytest.raises(CodemixError, match="2 questions") as told:
        _one_question([Raw(question="label"), Raw(question="x" * 5000)], "asked.json", None)
    assert len(str(told.value)) < 200
