"""How soon the command answers. Bar: 1 s without Prefect."""

from tests.benchmarks.measure import measure


def main() -> None:
    """Print the median of five runs each."""
    for arguments in (["--help"], ["--version"], ["sweep", "--help"]):
        runs = sorted(measure(*arguments).seconds for _ in range(5))
        print(f"runbooks {' '.join(arguments):<16} {runs[2]:.2f} s")


if __name__ == "__main__":
    main()
