from runbooks.core.failure_classes import Severity
from runbooks.core.runbook_diff import diff_runbooks, diff_text, says_the_same
from tests.support.order_workflow import make_runbook, make_scenario, make_section

BEFORE = make_runbook(sections=(make_section(),))


def test_equal_runbooks_have_no_differences() -> None:
    assert diff_runbooks(BEFORE, BEFORE) == []
    assert says_the_same(BEFORE, BEFORE)


def test_a_new_integration_is_one_change() -> None:
    section = make_section(node_key="tell", node_label="Tell sales", integration="Slack")
    (change,) = diff_runbooks(BEFORE, make_runbook(sections=(make_section(), section)))
    assert (change.kind, change.where) == ("added", '"Tell sales" (Slack)')


def test_a_step_that_reads_otherwise_is_told_with_both_texts() -> None:
    scenario = make_scenario(remediation=("Enter the new key. Undo: enter the old one.",))
    after = make_runbook(sections=(make_section(failure_scenarios=(scenario, *make_section().failure_scenarios[1:])),))
    text = diff_text(diff_runbooks(BEFORE, after))
    assert text.startswith('~ "Charge card" (Stripe API), Authentication failure (401): remediation')
    assert "    - Create a new API key in the Stripe Dashboard" in text
    assert "    + Enter the new key. Undo: enter the old one." in text
    assert not says_the_same(BEFORE, after)


def test_moved_figures_alone_need_no_second_reading() -> None:
    scenario = make_scenario(evidence=("13 failures of this kind in 420 calls (3.1%) in the last 30 days.",))
    section = make_section(
        failure_scenarios=(make_section().failure_scenarios[1], scenario), history=("420 calls, 13 failed.",)
    )
    after = make_runbook(sections=(section,))
    assert diff_runbooks(BEFORE, after)
    assert says_the_same(BEFORE, after)


def test_severity_contacts_and_credentials_need_one() -> None:
    for after in (
        make_runbook(sections=(make_section(credential="Stripe test"),)),
        make_runbook(sections=(make_section(severity=Severity.LOW),)),
        make_runbook(sections=(make_section(),), escalation_matrix={"high": "Nobody"}),
        make_runbook(sections=()),
    ):
        assert not says_the_same(BEFORE, after)
