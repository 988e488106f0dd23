"""Text and bytes of tools and files to values: pure, total, and of bounded cost."""
