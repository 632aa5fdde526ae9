"""The report in a real browser: it fits, asks for nothing and complains of nothing.

The page is loaded into frames of the wanted widths; a script around them (the page itself has none)
measures them and writes what it found into an attribute of the outer page.
"""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from imitation_data.report.example import FACTS, SUMMARY
from imitation_data.report.facts import Facts, Tally
from imitation_data.report.html import report_html
from imitation_data.report.summary import BuildSummary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")

WIDTHS = (390, 1280)  # a telephone and a desk, in CSS pixels
OUTER = """<!doctype html><body>{frames}<script>
const found = {{}};
for (const frame of document.querySelectorAll("iframe")) frame.onload = () => {{
  const inside = frame.contentDocument, root = inside.documentElement;
  const beyond = (part) => part.getBoundingClientRect().right > root.clientWidth + 1;
  found[frame.width] = {{
    width: root.clientWidth, scroll: root.scrollWidth, scripts: inside.scripts.length,
    wide: [...inside.body.querySelectorAll("*")].filter(beyond).map((part) => part.tagName),
    bars: inside.querySelectorAll("rect").length,
    loaded: frame.contentWindow.performance.getEntriesByType("resource").map((entry) => entry.name),
  }};
  document.body.dataset.found = JSON.stringify(found);
}};
</script>"""


def look(page, folder):
    """Load a page at each width; return what was measured by width, and the console's lines."""
    source = html.escape(page)
    frames = (
        f'<iframe width="{width}" height="900" srcdoc="{source}"></iframe>' for width in WIDTHS
    )
    file = folder / "outer.html"
    file.write_text(OUTER.format(frames="".join(frames)), encoding="utf-8")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--v=0"),
        *("--disable-background-networking", "--virtual-time-budget=10000", "--dump-dom"),
        file.as_uri(),
    ]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, timeout=120, check=True, env=environment)
    log = done.stderr.decode(errors="replace")
    answer = re.search(r'data-found="([^"]*)"', done.stdout.decode(errors="replace"))
    assert answer, f"the page did not load: {log[-2000:]}"
    found = {int(width): facts for width, facts in json.loads(html.unescape(answer[1])).items()}
    assert set(found) == set(WIDTHS)
    return found, [line for line in log.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("kind", ["example", "hostile", "empty", "huge"])
def test_it_fits_asks_for_nothing_and_complains_of_nothing(kind, hostile, tmp_path):
    """No sideways scrolling, no console message, nothing loaded, no script on the page."""
    large = Tally(rows=10**9, turns=10**10, characters=10**14, tokens=10**13)
    huge = replace(FACTS, total=large, languages={"en": large}, sources={"a-forum": large})
    summary = {
        "example": SUMMARY,
        "hostile": hostile,
        "empty": BuildSummary("empty", "0.1.0", "00", "", "", None, Facts()),
        "huge": replace(SUMMARY, facts=huge),
    }[kind]
    measured, console = look(report_html(summary), tmp_path)
    assert not console
    for width, found in measured.items():
        assert width - 20 <= found["width"] <= width
        assert found["scroll"] <= found["width"], found["wide"]
        assert not found["wide"]
        assert not found["scripts"]
        assert not found["loaded"]
        assert (found["bars"] > 10) == (kind != "empty")


def test_the_look_can_fail(tmp_path):
    """What the test above forbids is seen when it is there."""
    page = (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        '<body><p>wide</p><img width="2000" height="1" src="http://127.0.0.1:9/x.png">'
    )
    measured, console = look(page, tmp_path)
    assert measured[390]["scroll"] > measured[390]["width"]
    assert "IMG" in measured[1280]["wide"]
    assert any("Content Security Policy" in line for line in console)
