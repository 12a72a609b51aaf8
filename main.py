"""Start Attention Viz: `python main.py` serves the page, `python main.py --help` says the rest."""

import sys

from attention_viz.cli import main

if __name__ == "__main__":
    sys.exit(main())
