"""Background work in threads of the server's own process, without Dash and without torch.

The model lives in this process, so its work does too. Jobs are found again by what was asked:
submitting a request that is queued or running already gives that job, so a reload or a second tab
looks at the same work. One job runs at a time per lane (a device); the others queue in order.
"""
