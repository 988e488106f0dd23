"""What was measured and found, as a table, as JSON and as a page."""
