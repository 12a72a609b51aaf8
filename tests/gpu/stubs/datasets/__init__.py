"""Stands in for the package of that name, which TransformerLens imports and nothing here calls.

It and what it brings are three times as large as all else that a run on a bare machine needs.
"""


def load_dataset(*_, **__):
    """Not here. Raises ModuleNotFoundError."""
    raise ModuleNotFoundError("The package datasets is not installed; this is a stand-in.")
