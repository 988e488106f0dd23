"""PuTTY's sessions and host keys where PuTTY keeps them: registry, folders, ``.reg`` files."""
