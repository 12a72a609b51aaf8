"""See the package."""


class Dataset:
    """Named in annotations only."""
