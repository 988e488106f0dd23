"""Talking to a tunnel that runs: what it is like, and what may be done to it."""
