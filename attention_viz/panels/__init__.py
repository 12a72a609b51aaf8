"""The page, one module per panel: `layout()` draws it empty, `register(app, workbench)` brings it
to life. Callbacks read the page's state, ask the workbench and draw; what they compute is in
plain functions beside them.
"""
