"""The command line: argv to values, values to calls, events to text; the only place that prints."""
