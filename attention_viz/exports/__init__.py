"""Records in, files out: pictures, graphs and tables as bytes. Pure functions."""
