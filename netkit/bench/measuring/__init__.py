"""The edge of a benchmark: logins, flows, and the bytes that are timed."""
