"""Programs that are started with a tunnel, and what runs already."""
