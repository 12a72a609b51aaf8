"""The closer looks of the ablation view, each one measurement."""
