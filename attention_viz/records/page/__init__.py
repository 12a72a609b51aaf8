"""What the page shows: one frozen record, which is the link as well."""

from attention_viz.records.page.state import PageState
from attention_viz.records.page.views import VIEWS, View

__all__ = ["VIEWS", "PageState", "View"]
