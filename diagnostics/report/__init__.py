"""Reports as text and documents: pure, prints nothing."""
