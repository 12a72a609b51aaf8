"""The commands of `python main.py`: each reads its options, asks the workbench, prints the record.

One module per command, with the stem of the feature it runs. `--json` prints one JSON object on
stdout; everything else a command has to say goes to stderr.
"""
