"""Waiting for what other threads do, without guessing how long it takes."""

import threading
import time

PATIENCE = 60.0  # seconds; a test that waits longer is stuck


def until(is_so, seconds=PATIENCE):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def in_thread(function, *args):
    """Run in a thread; `outcome_of` waits for it. One that is stuck doesn't keep pytest alive."""

    def run():
        try:
            thread.result = function(*args)
        except Exception as error:
            thread.error = error

    thread = threading.Thread(target=run, daemon=True)
    thread.result = thread.error = None
    thread.start()
    return thread


def outcome_of(thread):
    """What the thread's function returned; raises what it raised."""
    thread.join(PATIENCE)
    assert not thread.is_alive(), "still waiting"
    if thread.error is not None:
        raise thread.error
    return thread.result
