from __future__ import annotations

from diagnostics.redaction import words


def test_they_are_compared_in_lower_case():
    for group in (words.USERS, words.HOSTS, words.PLAIN, words.DOMAINS):
        assert group
        assert all(word == word.lower().strip() for word in group)
