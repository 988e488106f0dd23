"""PuTTY's saved sessions and host keys to values and back, pure: files, registry, grammars."""
