"""The page: `kit` (what panels are made of), `frame` (around the views), `rail`, a room per view.

A module that shows something has `layout()`, its skeleton; `PARTS`, what the server draws into it,
each asked for when something it read has changed; and `ACTS`, what a person can ask the server to
do. The browser keeps the state, and all that needs no measurement happens there (assets/).
"""
