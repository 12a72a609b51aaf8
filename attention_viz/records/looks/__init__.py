"""The closer looks: requests and results."""
