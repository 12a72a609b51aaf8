"""Assembles the web page. Importing it loads neither torch nor a model."""

from pathlib import Path
from types import ModuleType
from typing import Any

from dash import Dash

from attention_viz.panels import ablation, attention, circuit, lens, shell

ASSETS = Path(__file__).resolve().parent.parent / "assets"
VIEWS = {"attention": attention, "ablation": ablation, "circuit": circuit, "lens": lens}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


def create_app(
    workbench: Any, *, debug: bool = False, views: dict[str, ModuleType] | None = None
) -> Dash:
    """The page as a Dash app on this workbench; several may live in one process."""
    views = VIEWS if views is None else views
    app = Dash(
        "attention_viz",
        title="Attention Viz",
        update_title=None,
        assets_folder=str(ASSETS),
        serve_locally=True,
        index_string=_PAGE,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = shell.layout(workbench, views, app.get_asset_url("logo.svg"))
    shell.register(app, workbench, views)
    if debug:
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
    return app
