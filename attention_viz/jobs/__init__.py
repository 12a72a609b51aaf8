"""Background work in threads of the server's own process, without Dash and without torch.

The model lives in this process, so its work does too. Jobs are found again by what was asked:
submitting a request that is queued or running already gives that job, so a reload or a second tab
looks at the same work. One job runs at a time; the others queue in order, visibly (`queue`).

`DeviceLock` shares the device between that job and people's clicks (`device`, `pace`); `Flights`
computes once what several ask for at the same time, and `Results` remembers it.
"""

from attention_viz.jobs.device import DeviceLock, Priority
from attention_viz.jobs.flights import Flights, wait_for
from attention_viz.jobs.pace import JobPace
from attention_viz.jobs.queue import Jobs
from attention_viz.jobs.results import Results, size_of

__all__ = [
    "DeviceLock",
    "Flights",
    "JobPace",
    "Jobs",
    "Priority",
    "Results",
    "size_of",
    "wait_for",
]
