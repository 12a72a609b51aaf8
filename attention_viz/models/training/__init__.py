"""Makes the embedded model: corpus, tokenizer, packing and training, all from fixed seeds.

Run as ``python -m attention_viz.models.training``; nothing happens on import.
"""
