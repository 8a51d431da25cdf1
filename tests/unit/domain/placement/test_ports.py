from __future__ import annotations

import pytest

from swarmkeeper.domain.placement.ports import binds_every_interface


@pytest.mark.parametrize(
    "address",
    ["", "0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::0", "0::0", "0000::", "::ffff:0.0.0.0", "::ffff:0:0", "::0.0.0.0"],
)
def test_any_spelling_of_the_unspecified_address_binds_every_interface(address: str) -> None:
    assert binds_every_interface(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0", "0", "localhost", "::%eth0", "00.0.0.0", " ", "::/0"])
def test_other_texts_do_not(address: str) -> None:
    assert not binds_every_interface(address)
