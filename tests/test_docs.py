"""README and docs: every local link and picture exists, with the heading it names; README stays short."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("backend/weights/*.md")])
LINK_ATTRIBUTES = {"link_open": "href", "image": "src"}


def tokens(page: Path) -> Iterator[Token]:
    """All tokens of a Markdown file, inline ones too."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield token
        yield from token.children or ()


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures that are not on the web."""
    targets = [
        str(token.attrGet(LINK_ATTRIBUTES[token.type])) for token in tokens(page) if token.type in LINK_ATTRIBUTES
    ]
    return [target for target in targets if not urlsplit(target).scheme]


def anchors(page: Path) -> set[str]:
    """The fragments under which a page's headings can be linked, as GitHub makes them."""
    every = list(tokens(page))
    headings = [text.content for opening, text in pairwise(every) if opening.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, fragment = urlsplit(target).path, urlsplit(target).fragment
        file = (page.parent / unquote(path)).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if fragment:
            assert fragment in anchors(file), f"{page.name}: {target}"


def test_every_page_is_linked_from_readme() -> None:
    linked = {(ROOT / urlsplit(target).path).resolve() for target in links(ROOT / "README.md")}
    assert {page for page in PAGES if page.parent == ROOT / "docs"} <= linked


def test_readme_is_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
