import pytest

from runbooks.adapters.dialect import Dialect, OutputMode


def steps(complaint: str, *, guess: bool) -> list[Dialect]:
    """All that is tried while a server goes on complaining."""
    tried = [Dialect()]
    while simpler := tried[-1].after_refusal(complaint, guess=guess):
        tried.append(simpler)
    return tried


def test_every_mode_is_tried_best_first_and_then_it_ends() -> None:
    modes = [dialect.mode for dialect in steps("response_format is not supported", guess=False)]
    assert modes == list(OutputMode)


def test_a_complaint_that_names_nothing_costs_a_mode_only_while_finding_out() -> None:
    assert len(steps("Bad Request", guess=False)) == 1
    assert [dialect.mode for dialect in steps("Bad Request", guess=True)] == list(OutputMode)


@pytest.mark.parametrize(
    ("complaint", "changed"),
    [
        ("Unsupported parameter: 'max_tokens'", {"limit_name": "max_completion_tokens"}),
        ("'temperature' does not support 0.2 with this model", {"temperature": False}),
        ("unexpected keyword: seed", {"seed": False}),
    ],
)
def test_what_a_complaint_names_is_left_out_and_the_mode_stays(complaint: str, changed: dict[str, object]) -> None:
    simpler = Dialect().after_refusal(complaint, guess=True)
    assert simpler == Dialect(**changed)  # type: ignore[arg-type]


def test_a_request_holds_what_the_dialect_knows() -> None:
    whole = Dialect().parameters(max_tokens=5, temperature=0.1, seed=3)
    assert {key: whole[key] for key in ("max_tokens", "temperature", "seed")} == {
        "max_tokens": 5,
        "temperature": 0.1,
        "seed": 3,
    }
    assert whole["response_format"]["json_schema"]["strict"] is True
    plain = Dialect(OutputMode.TEXT, "max_completion_tokens", temperature=False, seed=False)
    assert plain.parameters(max_tokens=5, temperature=0.1, seed=3) == {"max_completion_tokens": 5}
    assert Dialect().parameters(max_tokens=5, temperature=None, seed=None).keys() == {"max_tokens", "response_format"}


def test_only_the_first_mode_sends_limits_of_length() -> None:
    loose = Dialect(OutputMode.SCHEMA_WITHOUT_LIMITS).parameters(max_tokens=5, temperature=None, seed=None)
    assert "maxLength" not in str(loose)
    assert "maxLength" in str(Dialect().parameters(max_tokens=5, temperature=None, seed=None))
