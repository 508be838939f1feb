"""A key and certificates as a signer of content credentials needs them, made on the spot."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def key_and_chain(folder: Path) -> tuple[Path, Path]:
    """Make a root, a signing certificate under it, and its key."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        attributes = [
            x509.NameAttribute(NameOID.COMMON_NAME, text),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Parley tests"),
        ]
        return x509.Name(attributes)

    def certificate(
        subject: str, public: ec.EllipticCurvePublicKey, *, is_root: bool
    ) -> x509.Certificate:
        usage = x509.KeyUsage(
            not is_root, False, False, False, False, is_root, is_root, False, False
        )
        built = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        )
        if not is_root:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            built = built.add_extension(purpose, critical=False)
        return built.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    chain = [
        certificate("signer", key.public_key(), is_root=False),
        certificate("root", root_key.public_key(), is_root=True),
    ]
    (folder / "chain.pem").write_bytes(b"".join(each.public_bytes(pem) for each in chain))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    return folder / "chain.pem", folder / "key.pem"
