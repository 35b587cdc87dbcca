"""The page of `upscale-compare`: one file, which works without a network and without scripts."""

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from comparison_cases import compared, made
from PIL import Image

from upscale.figures import comparison_page
from upscale.figures.comparison import Panel
from upscale.figures.comparison_view import default_crop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Parsed(HTMLParser):
    """The elements that are open at the end, all attributes, and all texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


HOSTILE = '</script><img src=x onerror="alert(1)">&amp;{{table}}.npy'


def test_the_page_is_one_file_and_escapes_names():
    text = comparison_page.render_page(made(["nn", HOSTILE], source="<b>&\"'{{width}}.png"))
    parsed = _Parsed(text)
    assert not parsed.open
    assert HOSTILE in parsed.texts
    assert "<b>&\"'{{width}}.png" in parsed.texts
    assert not re.search("https?://|//[a-z]", re.sub(r"base64,[^\"]*", "", text).replace(" // ", ""), re.IGNORECASE)
    images = [a for tag, a in parsed.attributes if tag == "img" and "src" in a]
    assert [a["alt"] for a in images] == ["input", "nn", HOSTILE]
    assert {(a["width"], a["height"]) for a in images} == {("20", "20")}  # the input is as large as the others
    decoded = [Image.open(io.BytesIO(base64.b64decode(a["src"].partition("base64,")[2]))) for a in images]
    assert [d.getpixel((0, 0)) for d in decoded] == [(250, 0, 9), (9, 200, 250), (9, 199, 250)]
    assert not any(name.startswith("on") for _, a in parsed.attributes for name in a)


def test_the_table_has_the_numbers_of_every_enlargement():
    found = made(["nn", "b"])
    found = found._replace(panels=[*found.panels, Panel("mine", found.panels[1].image, 33.0, 0.8, None, enlarged=True)])
    rows = re.findall(r"<tr>(.*?)</tr>", comparison_page.render_page(found))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells[0] == ["", "PSNR, dB", "SSIM", "seconds"]
    assert cells[1] == ["nn", "30.00", "<strong>0.9000</strong>", "0.0100"]
    assert cells[3] == ["mine", "<strong>33.00</strong>", "0.8000", "&ndash;"]
    assert len(cells) == 4


def test_there_is_one_control_for_each_side():
    parsed = _Parsed(comparison_page.render_page(made(["nn", "b"])))
    assert [a["id"] for tag, a in parsed.attributes if tag == "select"] == ["left", "right"]
    assert [a["id"] for tag, a in parsed.attributes if tag == "button"] == ["out", "in"]


@pytest.mark.heavy
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_in_a_browser(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(comparison_page.render_page(made(["nn", "bilinear", HOSTILE], (200, 100))))

    def chromium(*options, state):
        base = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run([*base, *options, f"{path.as_uri()}#{state}"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dom = chromium("--dump-dom", state="left=bilinear&right=nn&at=30&zoom=2")
    assert 'data-left="bilinear"' in dom and 'data-right="nn"' in dom
    assert 'aria-valuenow="30"' in dom
    assert re.search(">2.</output>", dom)
    chromium(f"--screenshot={tmp_path / 'shot.png'}", "--window-size=900,700", state="left=bilinear&right=nn&at=30&zoom=2")
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB"))
    rows = np.flatnonzero((shot == (9, 199, 250)).all(-1).any(1))
    assert len(rows) == 200
    line = shot[rows[100]]  # below the names, which lie on the picture
    left, right = (np.flatnonzero((line == colour).all(-1)) for colour in ((9, 199, 250), (9, 200, 250)))
    assert left.max() < right.min()
    assert right.max() - left.min() + 1 == 400
    assert abs(right.min() - left.min() - 120) <= 3  # of which the divider itself takes some


@pytest.mark.parametrize(
    ("size", "factor", "crop"),
    [
        ((444, 300), (2, 2), (0, 0, 444, 300)),
        ((4000, 3000), (2, 2), (1700, 1340, 600, 320)),
        ((900, 9), (3, 1), (0, 0, 900, 9)),
    ],
)
def test_a_page_by_itself_shows_as_much_as_a_window_has_room_for(size, factor, crop):
    assert default_crop(size, factor, page=True) == crop


def test_a_page_beside_a_sheet_shows_what_the_sheet_shows(tmp_path):
    Image.new("RGB", (700, 400)).save(tmp_path / "in.png")
    for page, details in ((True, "crop 50,40,600,320 of 700x400"), (False, "crop 302,152,96,96 of 700x400")):
        assert details in comparison_page.render_page(compared(tmp_path / "in.png", "nn", page=page))
