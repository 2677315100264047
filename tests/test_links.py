"""What the pages at the top of the repository lead to is there."""
import re

import pytest
from conftest import ROOT


@pytest.mark.parametrize("page", sorted(p.name for p in ROOT.glob("*.md")))
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:|#", link)]
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
