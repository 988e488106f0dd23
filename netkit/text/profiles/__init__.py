"""Saved tunnels: the text of ``profiles.toml`` to values, and edits of that text.  Pure."""
