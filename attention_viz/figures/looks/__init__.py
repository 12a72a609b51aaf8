"""The closer looks drawn."""
