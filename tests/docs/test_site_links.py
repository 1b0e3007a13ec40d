"""The check of the website's links, which tools/site.py makes after each build."""

from tests.docs.guides import ROOT


def test_a_link_that_leads_nowhere_is_named_with_its_page(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    from site_links import broken_links

    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "a b.html").write_text('<h1 id="here">a</h1><a href="../index.html#top">up</a>')
    good = '<a href="api/a%20b.html#here"></a><a href="https://a.org/x"></a><a href="#own"></a><p id="own">'
    (tmp_path / "index.html").write_text(good)
    assert broken_links(tmp_path) == []
    (tmp_path / "index.html").write_text(
        f'{good}<a href="api/a%20b.html#there"></a><img src="_images/no.png"><a href="#no">'
    )
    assert broken_links(tmp_path) == [
        "index.html: #no",
        "index.html: _images/no.png",
        "index.html: api/a%20b.html#there",
    ]
