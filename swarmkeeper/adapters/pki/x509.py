"""Make and sign X.509 certificates with `cryptography`; pure functions of their input, the clock and chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from swarmkeeper.errors import InvalidInput

AUTHORITY_DAYS = 3650
CLIENT_DAYS = 365
NODE_DAYS = 730
"""Engine certificates outlive a node; they rotate by replacing nodes."""
BACKDATED = timedelta(minutes=5)
"""Clocks of engines and functions differ a little."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate, both PEM; the key is left out of the representation."""

    key: str
    certificate: str

    def __repr__(self) -> str:
        return "KeyPair(…)"


def make_authority(fleet: str, now: datetime) -> KeyPair:
    """A self-signed authority that may sign leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{fleet} fleet authority")
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return KeyPair(_key_pem(key), _certificate_pem(builder.sign(key, hashes.SHA256())))


def make_client(authority: KeyPair, name: str, now: datetime) -> KeyPair:
    """A certificate for one function, for client use only."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _leaf(authority, key.public_key(), name, now, CLIENT_DAYS, ExtendedKeyUsageOID.CLIENT_AUTH, ())
    return KeyPair(_key_pem(key), certificate)


def sign_node(authority: KeyPair, signing_request: str, *, node_id: str, address: str, now: datetime) -> str:
    """Sign a node's request for server use, naming only `node_id` and `address`; returns PEM.

    Whatever names stand in the request are ignored. Raises InvalidInput for anything but a PEM request whose
    signature proves that the asker holds the key, made with a P-256 or stronger key.
    """
    try:
        request = x509.load_pem_x509_csr(signing_request.strip().encode())
    except ValueError as error:
        raise InvalidInput("signing_request", "is not a PEM certificate signing request") from error
    public_key = request.public_key()
    if not request.is_signature_valid:
        raise InvalidInput("signing_request", "is not signed by its own key")
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or public_key.key_size < 256:
        raise InvalidInput("signing_request", "needs an elliptic-curve key of 256 bits or more")
    names = (x509.DNSName(node_id), x509.IPAddress(ip_address(address)))
    return _leaf(authority, public_key, node_id, now, NODE_DAYS, ExtendedKeyUsageOID.SERVER_AUTH, names)


def ends_at(certificate: str) -> float:
    """When a PEM certificate ends, in seconds since the epoch."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc.timestamp()


def _leaf(
    authority: KeyPair,
    public_key: ec.EllipticCurvePublicKey,
    name: str,
    now: datetime,
    days: int,
    purpose: x509.ObjectIdentifier,
    alternative_names: tuple[x509.GeneralName, ...],
) -> str:
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("authority", "holds no elliptic-curve key")
    builder = (
        _builder(_name(name), issuer.subject, public_key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    )
    if alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
    return _certificate_pem(builder.sign(key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def at(seconds: float) -> datetime:
    """A moment in seconds since the epoch as the type that `cryptography` takes."""
    return datetime.fromtimestamp(seconds, tz=UTC)
