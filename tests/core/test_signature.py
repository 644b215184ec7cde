import pytest

from runbooks.core.signature import TOLERANCE_S, SignatureRefused, sign, verify

NOW = 1_770_000_000
BODY = b'{"execution_id": "1"}'


def test_a_signature_is_what_the_senders_documentation_says() -> None:
    # printf '1770000000.{"execution_id": "1"}' | openssl dgst -sha256 -hmac one
    assert sign("one", NOW, BODY) == (
        "t=1770000000,v1=bb5c73235e851aec8319e4f5a879b6f5a8938ef2046c30f771b2531499480feb"
    )


@pytest.mark.parametrize("secrets", [("one",), ("two", "one"), ("one", "two")])
def test_any_valid_secret_will_do(secrets: tuple[str, ...]) -> None:
    assert verify(sign("one", NOW, BODY), BODY, secrets=secrets, now=NOW)


def test_a_sender_may_sign_with_several_secrets() -> None:
    header = f"{sign('new', NOW, BODY)},{sign('one', NOW, BODY).partition(',')[2]}"
    assert verify(header, BODY, secrets=("one",), now=NOW)


def test_what_names_a_delivery_does_not_depend_on_how_the_header_is_written() -> None:
    plain = sign("one", NOW, BODY)
    padded = f" v0=x , {plain.replace(',', ' , ')},v1={'0' * 64}"
    assert verify(plain, BODY, secrets=("one",), now=NOW) == verify(padded, BODY, secrets=("one",), now=NOW)


@pytest.mark.parametrize("moved", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_clocks_may_differ_a_little(moved: int) -> None:
    assert verify(sign("one", NOW + moved, BODY), BODY, secrets=("one",), now=NOW)


@pytest.mark.parametrize("moved", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_a_stale_signature_is_refused(moved: int) -> None:
    with pytest.raises(SignatureRefused, match="300 s"):
        verify(sign("one", NOW + moved, BODY), BODY, secrets=("one",), now=NOW)


@pytest.mark.parametrize(
    ("header", "body", "secrets"),
    [
        (sign("other", NOW, BODY), BODY, ("one",)),
        (sign("one", NOW, BODY), BODY + b" ", ("one",)),
        (sign("one", NOW, BODY).replace(str(NOW), str(NOW + 1)), BODY, ("one",)),
        (sign("one", NOW, BODY), BODY, ()),
        (sign("one", NOW, BODY).upper(), BODY, ("one",)),
        (sign("one", NOW, BODY)[:-1], BODY, ("one",)),
        ("", BODY, ("one",)),
        ("t=,v1=", BODY, ("one",)),
        (f"t={NOW}", BODY, ("one",)),
        (f"t={NOW},t={NOW},v1={'0' * 64}", BODY, ("one",)),
        (f"t=-{NOW},v1={'0' * 64}", BODY, ("one",)),
        (f"t={'9' * 500},v1={'0' * 64}", BODY, ("one",)),
        ("," * 10_000, BODY, ("one",)),
    ],
)
def test_a_forged_or_malformed_signature_is_refused(header: str, body: bytes, secrets: tuple[str, ...]) -> None:
    with pytest.raises(SignatureRefused):
        verify(header, body, secrets=secrets, now=NOW)
