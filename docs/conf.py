"""How Sphinx makes the site: `sphinx-build -W --keep-going -n -b html docs build/site`."""

import re

from docutils import nodes
from sphinx.application import Sphinx

import upscale

project = "upscale"
author = copyright = "The upscale developers"
release = version = upscale.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_static", "images"]

myst_heading_anchors = 4
smartquotes = False  # what is quoted is often to be typed
highlight_language = "text"

autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
napoleon_google_docstring = False
# Types are prose, such as "array_like, shape (H, W)": nothing to make links of.
napoleon_use_param = napoleon_use_rtype = False

html_theme = "furo"
html_title = f"upscale {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "../sample_images/potion.png"
html_copy_source = False
html_show_copyright = False

#: Pages outside docs/ that others link to, and what stands for them here. Links to other files offer these as they are.
OUTSIDE = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../sample_images/CREDITS.md": "credits.md",
}


def _stay_inside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links that are right in the repository into links that are right on the site."""
    source[0] = re.sub(
        r"\]\((\.\./[\w/]+\.md)(#[^)]*)?\)", lambda m: f"]({OUTSIDE[m[1]]})" if m[1] in OUTSIDE else m[0], source[0]
    )


def _dash(app: Sphinx, page: nodes.document) -> None:
    """Set the hyphens between a parameter and what is said of it as a dash."""
    for text in [t for fields in page.findall(nodes.field_list) for t in fields.findall(nodes.Text)]:
        if " -- " in text and not isinstance(text.parent, nodes.literal | nodes.literal_block):
            text.parent.replace(text, nodes.Text(text.replace(" -- ", " \N{EN DASH} ")))


def setup(app: Sphinx) -> None:
    """Connect what is ours."""
    app.connect("source-read", _stay_inside)
    app.connect("doctree-read", _dash)
