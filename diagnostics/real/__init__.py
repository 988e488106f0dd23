"""The pieces of `diagnostics.real_system`, one per kind of question.

Nothing else imports them.  They ask the operating system and understand nothing: what a tool or a
file says is for `diagnostics.parsers`.
"""
