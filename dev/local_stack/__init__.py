"""The whole system on one machine: the PingOne simulator and the three services, no Docker.

`python -m local_stack up` keeps it running, `... demo` plays the whole story once.
"""
