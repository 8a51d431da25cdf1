"""The fleet's authority: made once, signs for what EC2 reports, and keeps clients and engines apart."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from swarmkeeper.adapters.pki.authority import CLIENTS_FACT, FACT, LEASE_S, FleetAuthority
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import InvalidInput, Unavailable
from tests.fakes import FakeStateStore, FixedClock

NODE, ADDRESS = NodeId("i-0a"), "10.42.0.10"


class MemorySecrets:
    """Secrets by name."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> Mapping[str, str] | None:
        return self.values.get(name)

    def get(self, name: str) -> Mapping[str, str]:
        if name not in self.values:
            raise Unavailable(f"{name} has no value yet")
        return self.values[name]

    def put(self, name: str, value: Mapping[str, str]) -> None:
        self.values[name] = dict(value)


@pytest.fixture
def store() -> FakeStateStore:
    return FakeStateStore()


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets()


def an_authority(store: FakeStateStore, secrets: MemorySecrets, clock: FixedClock | None = None) -> FleetAuthority:
    return FleetAuthority(
        fleet="demo",
        store=store,
        secrets=secrets,
        clock=clock or FixedClock(),
        clients=("placement", "registrar"),
    )


def a_request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None, name: str = "evil.example") -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def signed(store: FakeStateStore, secrets: MemorySecrets, request: str) -> x509.Certificate:
    authority = an_authority(store, secrets)
    authority.ensure()
    return x509.load_pem_x509_certificate(authority.sign(request, node_id=NODE, address=ADDRESS).encode())


def test_a_node_is_signed_for_its_instance_id_and_address_whatever_its_request_names(
    store: FakeStateStore, secrets: MemorySecrets
) -> None:
    names = signed(store, secrets, a_request()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NODE]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address(ADDRESS)]


def test_a_nodes_certificate_is_for_servers_only(store: FakeStateStore, secrets: MemorySecrets) -> None:
    certificate = signed(store, secrets, a_request())
    usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE)
    assert (usage.critical, usage.value) == (True, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert basic.ca is False


def test_a_clients_certificate_is_for_clients_only_and_each_function_has_its_own(
    store: FakeStateStore, secrets: MemorySecrets
) -> None:
    an_authority(store, secrets).ensure()
    placement, registrar = (secrets.values[f"client/{name}"] for name in ("placement", "registrar"))
    usage = x509.load_pem_x509_certificate(placement["certificate"].encode()).extensions
    assert usage.get_extension_for_class(x509.ExtendedKeyUsage).value == x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    assert placement["key"] != registrar["key"]
    assert "key" in secrets.values["ca"]
    assert secrets.values["ca"]["key"] not in str(placement)


def test_the_signed_certificate_chains_to_the_authority(store: FakeStateStore, secrets: MemorySecrets) -> None:
    certificate = signed(store, secrets, a_request())
    authority = x509.load_pem_x509_certificate(secrets.values["ca"]["certificate"].encode())
    certificate.verify_directly_issued_by(authority)


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param("", id="empty"),
        pytest.param("not a request", id="no PEM"),
        pytest.param(a_request(rsa.generate_private_key(65537, 2048)), id="RSA key"),
        pytest.param(a_request(ec.generate_private_key(ec.SECP192R1())), id="weak curve"),
    ],
)
def test_anything_but_a_sound_request_is_refused(
    store: FakeStateStore, secrets: MemorySecrets, request_text: str
) -> None:
    with pytest.raises(InvalidInput, match="signing_request"):
        signed(store, secrets, request_text)


def test_the_authority_is_made_once(store: FakeStateStore, secrets: MemorySecrets) -> None:
    an_authority(store, secrets).ensure()
    first = dict(secrets.values["ca"])
    an_authority(store, secrets).ensure()
    assert secrets.values["ca"] == first


def test_a_second_maker_waits_while_the_first_one_is_at_it(store: FakeStateStore, secrets: MemorySecrets) -> None:
    clock = FixedClock()
    store.set_fact_once(FACT, f"making:{clock.now() + LEASE_S}:other")
    with pytest.raises(Unavailable, match="making"):
        an_authority(store, secrets, clock).ensure()
    assert secrets.values == {}


def test_a_maker_that_died_is_replaced_after_its_lease(store: FakeStateStore, secrets: MemorySecrets) -> None:
    clock = FixedClock()
    store.set_fact_once(FACT, f"making:{clock.now() + LEASE_S}:other")
    clock.advance(LEASE_S + 1)
    an_authority(store, secrets, clock).ensure()
    assert store.fact(FACT) == "ready"


def test_nothing_is_signed_before_the_authority_is_made(store: FakeStateStore, secrets: MemorySecrets) -> None:
    with pytest.raises(Unavailable):
        an_authority(store, secrets).sign(a_request(), node_id=NODE, address=ADDRESS)


def test_keys_stay_out_of_representations(store: FakeStateStore, secrets: MemorySecrets) -> None:
    authority = an_authority(store, secrets)
    authority.ensure()
    authority.authority()
    assert "PRIVATE" not in repr(vars(authority))


def test_an_authority_that_the_table_has_forgotten_stays(secrets: MemorySecrets) -> None:
    an_authority(FakeStateStore(), secrets).ensure()
    before = dict(secrets.values)
    again = an_authority(FakeStateStore(), secrets)
    again.ensure()
    assert secrets.values == before
    assert again.authority() == before["ca"]["certificate"]


def test_a_maker_that_died_half_way_leaves_an_authority_to_go_on_with(
    store: FakeStateStore, secrets: MemorySecrets
) -> None:
    an_authority(FakeStateStore(), secrets).ensure()
    made = secrets.values["ca"]
    del secrets.values["client/registrar"]
    an_authority(store, secrets).ensure()
    assert secrets.values["ca"] == made
    assert secrets.values["client/registrar"]["authority"] == made["certificate"]


DAY_S = 24 * 3600.0


def ends(secrets: MemorySecrets, client: str) -> float:
    return x509.load_pem_x509_certificate(
        secrets.values[f"client/{client}"]["certificate"].encode()
    ).not_valid_after_utc.timestamp()


def test_clients_are_renewed_a_month_before_they_end(store: FakeStateStore, secrets: MemorySecrets) -> None:
    clock = FixedClock()
    authority = an_authority(store, secrets, clock)
    authority.ensure()
    first, end = dict(secrets.values), ends(secrets, "placement")
    assert not authority.renew_clients()  # learns when they end
    clock.advance(end - clock.now() - 31 * DAY_S)
    assert not authority.renew_clients()
    assert secrets.values == first
    clock.advance(2 * DAY_S)
    assert authority.renew_clients()
    assert min(ends(secrets, client) for client in ("placement", "registrar")) > clock.now() + 300 * DAY_S
    assert secrets.values["ca"] == first["ca"]
    assert secrets.values["client/placement"]["authority"] == first["client/placement"]["authority"]
    assert not authority.renew_clients()


def test_a_client_that_was_issued_long_before_is_renewed_at_the_first_look(
    store: FakeStateStore, secrets: MemorySecrets
) -> None:
    clock = FixedClock()
    an_authority(store, secrets, clock).ensure()
    before = dict(secrets.values)
    clock.advance(ends(secrets, "registrar") - clock.now() + DAY_S)
    an_authority(store, secrets, clock).renew_clients()
    assert secrets.values["client/registrar"] != before["client/registrar"]
    assert ends(secrets, "registrar") > clock.now()


def test_nothing_is_renewed_before_there_is_an_authority(store: FakeStateStore, secrets: MemorySecrets) -> None:
    assert not an_authority(store, secrets).renew_clients()
    assert secrets.values == {}


def test_of_two_that_renew_at_once_one_asks_again(secrets: MemorySecrets) -> None:
    clock, store = FixedClock(), FakeStateStore()
    authority = an_authority(store, secrets, clock)
    authority.ensure()
    ask = store.fact

    def another_is_quicker(name: str) -> str | None:
        found = ask(name)
        if name == CLIENTS_FACT and found is None:
            store.replace_fact(CLIENTS_FACT, expected=None, value="1.0")
        return found

    store.fact = another_is_quicker  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="another registrar"):
        authority.renew_clients()
