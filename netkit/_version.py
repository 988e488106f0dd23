"""The version, in one place: hatchling reads it for the distribution, ``--version`` prints it."""

__version__ = "0.1.0"
