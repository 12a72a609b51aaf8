"""Who is measured: loading, tokens, and runs of a decoder with its activations kept."""
