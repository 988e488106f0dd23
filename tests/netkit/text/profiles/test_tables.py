"""The published schema is of these types, and says what they say."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given

from netkit.text.profiles.tables import CHOICES, FileTable, ProfileTable, schema
from netkit.text.profiles.values import to_table
from support.profiles import OFFICE, profiles

PUBLISHED = Path(__file__).resolve().parents[4] / "docs/profiles.schema.json"


def test_the_published_schema_is_current():
    assert json.loads(PUBLISHED.read_text()) == schema()  # else: make docs


def test_a_file_keeps_to_the_schema():
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(tomllib.loads(OFFICE), schema())


@given(profiles)
def test_every_profile_keeps_to_the_schema(profile):
    jsonschema.validate({"profiles": {profile.name: to_table(profile)}}, schema())


@pytest.mark.parametrize(
    "document",
    [
        {"profiles": {"a b": {"gateway": "gw"}}},
        {"profiles": {"a": {}}},
        {"profiles": {"a": {"gateway": "gw", "password": "x"}}},
        {"profiles": {"a": {"gateway": "gw", "port": 0}}},
        {"profiles": {"a": {"gateway": "gw", "launch": "rm"}}},
        {"more": 1},
    ],
)
def test_both_refuse(document):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, FileTable)


def test_choices_are_of_keys_that_there_are():
    assert set(CHOICES) - {"kind", "default"} <= set(ProfileTable.__struct_fields__)
