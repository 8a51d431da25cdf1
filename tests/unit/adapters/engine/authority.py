"""A certificate authority for tests: signs nodes for server use and makes client identities."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from swarmkeeper.adapters.engine import ClientIdentity

DAY = dt.timedelta(days=1)


def pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    """The private key as PEM."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


class Authority:
    """One authority; two of them don't trust each other's."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"test authority {x509.random_serial_number()}")]
        )
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = self._unsigned(self._name, self._key.public_key(), constraints).sign(
            self._key, hashes.SHA256()
        )

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, request_pem: str, address: str) -> str:
        """A node's certificate, as the registrar makes it: for the address, for server use only."""
        request = x509.load_pem_x509_csr(request_pem.encode())
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        return self._signed(key, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, *, trusting: Authority | None = None) -> ClientIdentity:
        """A client identity that this authority certifies."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(key.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH)
        return ClientIdentity((trusting or self).pem, certificate, pem_of(key))

    def _signed(
        self, key: ec.EllipticCurvePublicKey, usage: x509.ObjectIdentifier, *extensions: x509.ExtensionType
    ) -> str:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        builder = self._unsigned(subject, key, constraints).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def _unsigned(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, constraints: x509.BasicConstraints
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
        return builder.add_extension(constraints, critical=True)
