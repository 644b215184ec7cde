"""`make catalogue-check`: says what is wrong or thin in the failure catalogue."""

from runbooks.adapters.catalogue_files import load_catalogue, load_classifier
from runbooks.core.catalogue_check import check_catalogue


def run_catalogue_check() -> int:
    """Print every finding; 1 when something is wrong, 0 when nothing is or only thin."""
    catalogue = load_catalogue()
    findings = check_catalogue(catalogue)
    for finding in findings:
        print(f"{'wrong' if finding.wrong else 'thin '}  {finding.scenario_id}: {finding.text.replace('%%', '%')}")
    wrong = sum(finding.wrong for finding in findings)
    scenarios = sum(len(file.scenarios) for file in catalogue.files.values())
    print(
        f"{len(catalogue.files)} files, {scenarios} scenarios, {len(load_classifier().rules)} rules, "
        f"version {catalogue.version}: {wrong} wrong, {len(findings) - wrong} thin"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(run_catalogue_check())
