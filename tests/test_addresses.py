"""What is told of an address holds no secret of it."""

import pytest

from ephys_deepinterpolation.addresses import without_secrets


@pytest.mark.parametrize(
    "text, told",
    [
        ("https://me:hunter2@a.org/b.bin", "https://a.org/b.bin"),
        ("https://me:p@ss@a.org/b", "https://a.org/b"),
        ("https://hunter2@a.org", "https://a.org"),
        ("https://a.org/b?token=hunter2&x=1: gone", "https://a.org/b?… gone"),
        ("Max retries exceeded with url: /b?token=hunter2 (why)", "url: /b?… (why)"),
        ("s3://bucket/what?/key", "s3://bucket/what?/key"),
        ("https://a.org/@b?mail=me@a.org", "https://a.org/@b?…"),
        ("is this a question?yes", "is this a question?yes"),
        ("spike-data==1.0", "spike-data==1.0"),
    ],
)
def test_accounts_and_queries_are_left_out_and_nothing_else(text, told):
    assert without_secrets(text).endswith(told)
    assert "hunter2" not in without_secrets(text)
