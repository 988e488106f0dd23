"""The pieces of `diagnostics.redact`; nothing else imports them."""
