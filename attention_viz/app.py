"""Assembles the web page. Importing it loads neither torch nor a model."""

from pathlib import Path

from dash import Dash
from flask import Flask, Response, request
from flask_compress import Compress

from attention_viz.figures import palette
from attention_viz.panels.frame import shell
from attention_viz.records.bench import Bench

ASSETS = Path(__file__).resolve().parent.parent / "assets"
_YEAR = 365 * 24 * 3600  # seconds

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
<style>%COLOURS%</style>
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


def create_app(bench: Bench, *, debug: bool = False) -> Dash:
    """The page as a Dash app on this workbench; several may live in one process."""
    app = Dash(
        "attention_viz",
        title="Attention Viz",
        update_title=None,
        assets_folder=str(ASSETS),
        serve_locally=True,
        index_string=_PAGE.replace("%COLOURS%", palette.css_variables()),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    logo = app.get_asset_url("logo.svg")
    app.layout = lambda: shell.layout(bench, logo)  # anew at each visit: what is known may grow
    shell.register(app, bench)
    _serve_quickly(app.server)
    if debug:
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
    return app


def _serve_quickly(server: Flask) -> None:
    """Answers are compressed; files that carry their version in the address are kept for good."""
    server.config.update(COMPRESS_ALGORITHM=["br", "gzip"], COMPRESS_BR_LEVEL=5)
    Compress(server)

    @server.after_request
    def keep(response: Response) -> Response:
        if response.status_code == 200 and _carries_version():
            response.cache_control.max_age = _YEAR
            response.cache_control.public = True
            response.cache_control.immutable = True
            response.cache_control.no_cache = None
        return response


def _carries_version() -> bool:
    """Whether the address asked for is of a file that never changes under it."""
    is_asset = request.path.startswith("/assets/") and "m" in request.args
    return is_asset or request.path.startswith("/_dash-component-suites/")
