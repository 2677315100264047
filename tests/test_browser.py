"""Comments, names and titles that would act in a browser: a study of them is rendered and opened, and nothing acts."""
import html
import re
import shutil
import subprocess

import pandas as pd
import pytest
import yaml

from codemix_nb.annotation.labelling import as_html
from codemix_nb.report.render import render
from codemix_nb.study.run import run

ACTS = "document.documentElement.setAttribute('data-ran','1')"
PAYLOADS = [f"<script>{ACTS}</script>", f'<img src=x onerror="{ACTS}">', f"<svg onload={ACTS}>",
            f'"><body onload="{ACTS}">', f"'onmouseover='{ACTS}' autofocus onfocus='{ACTS}", f"[a](javascript:{ACTS})",
            f"![a](x\" onerror=\"{ACTS})", f"</title></style><script>{ACTS}</script>", "{{ 7*7 }}{% for x in y %}",
            f"<a href='javascript:{ACTS}' id=me>me</a><script>me.click()</script>", "\x1b]0;title\x07\x9b31m",
            f"`<iframe srcdoc=\"<script>parent.{ACTS}</script>\">`",
            f"<math><mtext><script>{ACTS}</script></mtext></math>"]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


def opened(path):
    """The page as a browser has it after its scripts had three seconds."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom",
               "--virtual-time-budget=3000", f"file://{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The report of a study in which everything that a user can name would act if it could."""
    folder = tmp_path_factory.mktemp("hostile")
    words = "kura phone khana bus ghar saathi pani aaja hijo ramro din sathi".split()
    judged = lambda i: "bekar" if i % 2 else "ramro"
    says = lambda i: f"{PAYLOADS[i % len(PAYLOADS)]} {words[i % 12]} {words[i // 12 % 12]} {judged(i)}"
    rows = [dict(comment=says(i), tag=PAYLOADS[0] if i % 2 else PAYLOADS[1], source=PAYLOADS[i % 3]) for i in range(90)]
    pd.DataFrame(rows).to_csv(folder / "mine.csv", index=False)
    corpus = dict(path=str(folder / "mine.csv"), text="comment", label="tag", source="source", positive=PAYLOADS[0])
    study = dict(study="hostile", title=" ".join(PAYLOADS), folds=3, models=["lr-word", "nbsvm"], corpora=[corpus],
                 contrasts=[dict(name=PAYLOADS[1], a="nbsvm", b="lr-word")], terms=dict(models=["nbsvm"], top=5),
                 learning_curve=dict(models=["lr-word"], fractions=[.5]))
    (folder / "hostile.yaml").write_text(yaml.safe_dump(study, allow_unicode=True))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("home", "reports"): patch.setenv(f"CODEMIX_{name.upper()}", str(folder / name))
        run(folder / "hostile.yaml", workers=1)
        yield render("hostile").parent


def test_no_text_of_a_report_acts(rendered):
    control = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
    tag = re.compile(r"<(script|img|iframe|body|math|svg)[^>]*(ran|srcdoc)", re.I)
    for path in rendered.rglob("*"):
        if path.suffix not in (".html", ".md", ".csv", ".tex", ".svg", ".json"): continue
        text = path.read_text(encoding="utf-8")
        assert not control.search(text), path.name
        if path.suffix in (".html", ".md", ".svg"): assert not tag.search(text), path.name
        if path.suffix == ".md": assert not re.search(r"(?<!\\)\]\(\s*javascript:", text), path.name
        assert "49{%" not in text and "4949" not in text


@pytest.mark.skipif(not BROWSER, reason="needs Chromium")
def test_a_browser_runs_nothing_of_it(rendered):
    dom = opened(rendered / "index.html")
    assert "data-ran" not in re.sub(r"&\w+;|>[^<]*<", "><", dom), "something ran"
    assert "<html" in dom and html.escape("7*7") in dom


@pytest.mark.skipif(not BROWSER, reason="needs Chromium")
def test_the_labelling_page_shows_text_alone(tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html><meta charset=utf-8><p>" + "<p>".join(map(as_html, PAYLOADS)))
    assert 'data-ran="1"' not in opened(tmp_path / "page.html")
    (tmp_path / "sure.html").write_text("<!doctype html><p>" + PAYLOADS[0])
    assert 'data-ran="1"' in opened(tmp_path / "sure.html"), "a page that acts is seen to act"
