"""What the checks about local ports share: who listens, which ports to keep off, what to say.

Pure but for the functions that are handed a `diagnostics.system.System`.
"""
