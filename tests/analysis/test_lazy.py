"""What waits for the device while it is computed must not hold up who has the device."""

import threading

from attention_viz.analysis.lazy import lazy
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.roles.role_scores import Clean
from attention_viz.jobs import DeviceLock, JobPace

PATIENCE = 60  # seconds after which two threads that wait for each other are given up


class Counting:
    computed = 0

    @lazy
    def value(self) -> int:
        """What it is."""
        self.computed += 1
        return 7


def test_it_is_computed_once_per_object():
    one, other = Counting(), Counting()
    assert one.value == one.value == 7 and one.computed == 1 and other.computed == 0
    assert Counting.value.__doc__ == "What it is."


def test_two_threads_that_share_the_device_do_not_wait_for_each_other(load, ask_about):
    """One has the device and reads what the other, waiting for the device, is about to compute."""
    lock = DeviceLock()
    model, question = load("gpt2"), ask_about("gpt2")
    first, second = (ask(model, question, JobPace(lock)) for _ in range(2))

    def read(asked: Asked) -> None:
        clean = Clean(asked)
        assert asked.counterfactual is not None
        assert clean.rows is not None and clean.direct is not None

    waiting = threading.Thread(target=read, args=(second,), daemon=True)

    def work() -> None:
        with first.turn():
            waiting.start()
            while not lock.waiting(0):
                pass
            read(first)

    having = threading.Thread(target=work, daemon=True)
    having.start()
    for thread in (having, waiting):
        thread.join(PATIENCE)
    assert not having.is_alive() and not waiting.is_alive()
