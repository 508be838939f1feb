"""Content credentials (C2PA) for recordings: who made them, and that a machine did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, TypeAlias

from streamer.errors import SettingsError, StreamerError

try:
    import c2pa
except ModuleNotFoundError:  # an extra; C2paSigner says so
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

Algorithm: TypeAlias = Literal["es256", "es384", "ps256", "ed25519"]
MADE_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
PRODUCT = "Parley"


class SigningError(StreamerError):
    """A recording could not be signed."""


class C2paSigner:
    """Signs MP4 files with a key and the chain of its certificates.

    The key is tried at once, so that a server with a wrong one does not start.

    Args:
        certificates: PEM, the signer's own first, up to but without the root.
        key: PEM, PKCS#8, not encrypted.
        algorithm: of the key.
        authority: URL of a time stamping authority; None signs without a time stamp.

    Raises:
        SettingsError: when c2pa-python is missing, a file cannot be read, or they do not fit.
    """

    def __init__(
        self,
        certificates: Path,
        key: Path,
        algorithm: Algorithm = "es256",
        *,
        authority: str | None = None,
    ) -> None:
        if not IS_INSTALLED:
            raise SettingsError(
                "recordings are to be signed and c2pa-python is not installed; "
                "install the extra `signing`, or give no key"
            )
        try:
            chain, secret = certificates.read_bytes(), key.read_bytes()
        except OSError as error:
            raise SettingsError(f"cannot read the signing key or certificates: {error}") from error
        try:
            info = c2pa.C2paSignerInfo(algorithm, chain, secret, authority)
            self._signer = c2pa.Signer.from_info(info)
        except (c2pa.C2paError, ValueError) as error:
            raise SettingsError(
                f"the signing key {key} and the certificates {certificates} cannot be used with "
                f"{algorithm}: {error}"
            ) from error

    def sign(self, source: Path, target: Path) -> None:
        """Write a signed copy of an MP4; blocks.

        Raises:
            SigningError: when the file or the certificates are refused.
        """
        try:
            with c2pa.Builder(json.dumps(_manifest())) as builder:
                builder.sign_file(source, target, self._signer)
        except (c2pa.C2paError, OSError) as error:
            raise SigningError(f"cannot sign {source.name}: {error}") from error


def _manifest() -> dict[str, object]:
    created = {"action": "c2pa.created", "digitalSourceType": MADE_BY_AI}
    return {
        "claim_generator_info": [{"name": PRODUCT}],
        "format": "video/mp4",
        "title": "recording of a room",
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
    }
