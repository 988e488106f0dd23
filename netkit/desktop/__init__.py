"""The desktop around a tunnel: its programs, its displays, its shortcuts."""
