"""See the package."""


class IterableDataset:
    """Named in annotations only."""
