"""Settings of other programs to profiles, and profiles to theirs.  Pure."""
