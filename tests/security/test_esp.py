"""ESP on the wire: published vectors, what a receiver refuses, algorithms refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mip6.security.esp import (
    Encryption,
    EspError,
    Integrity,
    Transform,
    encryption_named,
    integrity_named,
    spi_and_sequence_number,
)
from mip6.security.keys import Secret

SHA1_KEY = Secret(bytes(range(20)))
SHA2_KEY = Secret(bytes(range(32)))
IV = bytes(range(100, 116))

NULL_SHA1 = Transform(integrity=Integrity.HMAC_SHA1_96, integrity_key=SHA1_KEY)
NULL_SHA2 = Transform(integrity=Integrity.HMAC_SHA2_256_128, integrity_key=SHA2_KEY)
AES_SHA1 = Transform(
    integrity=Integrity.HMAC_SHA1_96,
    integrity_key=SHA1_KEY,
    encryption=Encryption.AES_CBC,
    encryption_key=Secret(bytes(range(16))),
)
AES_SHA2 = Transform(
    integrity=Integrity.HMAC_SHA2_256_128,
    integrity_key=SHA2_KEY,
    encryption=Encryption.AES_CBC,
    encryption_key=Secret(bytes(range(32))),
)
TRANSFORMS = [NULL_SHA1, NULL_SHA2, AES_SHA1, AES_SHA2]


def test_rfc_3602_case_5_a_ping_in_transport_mode() -> None:
    transform = Transform(
        integrity=Integrity.HMAC_SHA1_96,
        integrity_key=SHA1_KEY,
        encryption=Encryption.AES_CBC,
        encryption_key=Secret(bytes.fromhex("90d382b410eeba7ad938c46cec1a82bf")),
    )
    iv = bytes.fromhex("e96e8c08ab465763fd098d45dd3ff893")
    echo_request = bytes.fromhex("08000ebda70a00008e9c083db95b0700")
    echo_request += bytes(range(0x08, 0x38))
    sealed = transform.seal(4321, 1, 1, echo_request, iv)
    assert sealed[:-12] == bytes.fromhex(
        "000010e1 00000001"  # SPI, Sequence Number
        "e96e8c08ab465763fd098d45dd3ff893"  # IV
        "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
        "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
        "a269add047ad2d5913ac19b7cfbad4a6"
    )
    assert transform.authentic(sealed)
    assert transform.open(sealed) == (1, echo_request)


@pytest.mark.parametrize(
    ("integrity", "length", "value"),
    [
        # RFC 2202 §3 test case 3, cut to 96 bits by RFC 2404.
        (Integrity.HMAC_SHA1_96, 20, "125d7342b9ac11cd91a39af4"),
        # RFC 4868 §2.7.2.1 test case AUTH256-3.
        (Integrity.HMAC_SHA2_256_128, 32, "cdcb1220d1ecccea91e53aba3092f962"),
    ],
)
def test_published_check_values(integrity: Integrity, length: int, value: str) -> None:
    key = Secret(b"\xaa" * length)
    transform = Transform(integrity=integrity, integrity_key=key)
    octets = b"\xdd" * 50 + bytes.fromhex(value)
    assert transform.authentic(octets)
    assert not transform.authentic(octets[:-1] + b"\x00")


def test_null_encryption_octet_by_octet() -> None:
    sealed = NULL_SHA1.seal(0x2000, 7, 135, b"abcde", b"")
    assert sealed[:-12] == (
        b"\x00\x00\x20\x00"  # SPI
        b"\x00\x00\x00\x07"  # Sequence Number
        b"abcde\x01"  # payload, padding up to 2 octets before a multiple of 4
        b"\x01\x87"  # Pad Length 1, Next Header 135
    )
    assert len(sealed) == 16 + 12


@pytest.mark.parametrize("transform", TRANSFORMS)
@given(payload=st.binary(max_size=100), next_header=st.integers(0, 255), data=st.data())
def test_what_is_sealed_is_opened(
    transform: Transform, payload: bytes, next_header: int, data: st.DataObject
) -> None:
    length = transform.iv_length
    iv = data.draw(st.binary(min_size=length, max_size=length))
    sealed = transform.seal(0x12345678, 0xFFFFFFFF, next_header, payload, iv)
    assert spi_and_sequence_number(sealed) == (0x12345678, 0xFFFFFFFF)
    assert transform.authentic(sealed)
    assert transform.open(sealed) == (next_header, payload)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_changed_octet_is_found(transform: Transform) -> None:
    sealed = transform.seal(0x2000, 1, 135, bytes(32), IV[: transform.iv_length])
    for at in range(len(sealed)):
        for bit in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[at] ^= bit
            assert not transform.authentic(bytes(changed)), at


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_cut_is_found(transform: Transform) -> None:
    sealed = transform.seal(0x2000, 1, 135, bytes(32), IV[: transform.iv_length])
    for length in range(len(sealed)):
        assert not transform.authentic(sealed[:length])
    assert not transform.authentic(sealed + b"\0")


@pytest.mark.parametrize("transform", TRANSFORMS)
@given(octets=st.binary(max_size=200))
def test_no_octets_raise_anything(transform: Transform, octets: bytes) -> None:
    assert not transform.authentic(octets)


@pytest.mark.parametrize("transform", TRANSFORMS)
@given(octets=st.binary(max_size=200))
def test_who_has_the_key_can_raise_no_more_than_an_error(
    transform: Transform, octets: bytes
) -> None:
    body = bytes(8) + octets
    sealed = body + transform._check_value(body)
    if transform.authentic(sealed):
        try:
            transform.open(sealed)
        except EspError as error:
            assert error.reason in ("esp_padding", "esp_length")


def signed(transform: Transform, plain: bytes) -> bytes:
    """ESP whose plain text, trailer included, is given."""
    iv = IV[: transform.iv_length]
    body = bytes(8) + iv + transform._encrypt(plain, iv)
    return body + transform._check_value(body)


@pytest.mark.parametrize(
    "plain",
    [
        bytes(14) + b"\x0f\x87",  # one octet more padding than there is
        bytes(14) + b"\xff\x87",
        bytes(12) + b"\x01\x01\x02\x87",  # padding is 1, 2, 3 …
        bytes(12) + b"\x02\x01\x02\x87",
        bytes(12) + b"\x00\x00\x02\x87",
    ],
)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_wrong_padding(transform: Transform, plain: bytes) -> None:
    octets = signed(transform, plain)
    assert transform.authentic(octets)
    with pytest.raises(EspError, match="esp_padding"):
        transform.open(octets)


def test_nothing_but_padding_is_an_empty_payload() -> None:
    plain = bytes(range(1, 15)) + b"\x0e\x3b"
    assert AES_SHA1.open(signed(AES_SHA1, plain)) == (59, b"")


def test_blocks_that_do_not_come_out_even() -> None:
    body = bytes(8) + IV + bytes(15)
    with pytest.raises(EspError, match="esp_length"):
        AES_SHA1.open(body + AES_SHA1._check_value(body))
    body = bytes(8) + bytes(7)
    with pytest.raises(EspError, match="esp_length"):
        NULL_SHA1.open(body + NULL_SHA1._check_value(body))


@pytest.mark.parametrize("length", range(8))
def test_too_short_for_an_spi(length: int) -> None:
    with pytest.raises(EspError, match="truncated"):
        spi_and_sequence_number(bytes(length))


def test_the_iv_has_the_length_of_the_cipher() -> None:
    with pytest.raises(ValueError, match="needs an IV of 16 octets"):
        AES_SHA1.seal(0x2000, 1, 135, b"", b"")
    with pytest.raises(ValueError, match="needs an IV of 0 octets"):
        NULL_SHA1.seal(0x2000, 1, 135, b"", IV)


@pytest.mark.parametrize(
    ("integrity", "length"),
    [
        (Integrity.HMAC_SHA1_96, 0),
        (Integrity.HMAC_SHA1_96, 16),
        (Integrity.HMAC_SHA1_96, 32),
        (Integrity.HMAC_SHA2_256_128, 20),
        (Integrity.HMAC_SHA2_256_128, 64),
    ],
)
def test_integrity_keys_of_another_length(integrity: Integrity, length: int) -> None:
    with pytest.raises(ValueError, match=f"octets, not {length}"):
        Transform(integrity=integrity, integrity_key=Secret(bytes(length)))


@pytest.mark.parametrize(
    ("encryption", "length"),
    [(Encryption.AES_CBC, n) for n in (0, 8, 15, 20, 33)] + [(Encryption.NULL, 16)],
)
def test_encryption_keys_of_another_length(encryption: Encryption, length: int) -> None:
    with pytest.raises(ValueError, match=f"octets, not {length}"):
        Transform(
            integrity=Integrity.HMAC_SHA1_96,
            integrity_key=SHA1_KEY,
            encryption=encryption,
            encryption_key=Secret(bytes(length)),
        )


@pytest.mark.parametrize("length", [16, 24, 32])
def test_aes_keys(length: int) -> None:
    transform = Transform(
        integrity=Integrity.HMAC_SHA1_96,
        integrity_key=SHA1_KEY,
        encryption=Encryption.AES_CBC,
        encryption_key=Secret(bytes(length)),
    )
    assert transform.open(transform.seal(256, 1, 58, b"x", IV)) == (58, b"x")


def test_algorithms_by_name() -> None:
    assert encryption_named("AES-CBC") is Encryption.AES_CBC
    assert encryption_named("null") is Encryption.NULL
    assert integrity_named("hmac-sha2-256-128") is Integrity.HMAC_SHA2_256_128


@pytest.mark.parametrize(
    "name", ["aes-gcm", "AES-GCM-16", "aes-ctr", "chacha20-poly1305"]
)
def test_counter_modes_with_static_keys_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not be used with static keys"):
        encryption_named(name)


@pytest.mark.rfc("5.1", "a non-NULL payload authentication algorithm")
@pytest.mark.parametrize("name", ["null", "none", "NULL"])
def test_no_integrity_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="protects nothing"):
        integrity_named(name)


@pytest.mark.parametrize("name", ["des-cbc", "3des-cbc", "", "hmac-md5-96"])
def test_other_algorithms_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not one of: null, aes-cbc"):
        encryption_named(name)
    with pytest.raises(ValueError, match="is not one of: hmac-sha1-96"):
        integrity_named(name)
