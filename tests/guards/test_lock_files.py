"""requirements*.lock: every package pinned with hashes, no host named, and both locks agree."""

import re

import pytest

from tests.guards.checkout import ROOT

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^ ;\\]+)")
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def entries(lock: str) -> list[str]:
    """The lock's requirements, each with its continuation lines, without comments."""
    kept = [
        line for line in (ROOT / lock).read_text().splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    return "\n".join(kept).replace("\\\n", " ").splitlines()


def pins(lock: str) -> dict[str, str]:
    found = [PIN.match(entry) for entry in entries(lock)]
    return {match[1].lower(): match[2] for match in found if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    assert len(entries(lock)) > 20
    assert [entry for entry in entries(lock) if not PIN.match(entry) or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert (
        re.findall(r"\w+://\S+|--(?:extra-)?index-url|--find-links|--trusted-host|/(?:opt|home|root|tmp)/\S+", text)
        == []
    )


def test_the_lock_for_developers_contains_the_one_for_running() -> None:
    developers = pins("requirements-dev.lock")
    assert {
        name: version for name, version in pins("requirements.lock").items() if developers.get(name) != version
    } == {}


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_every_requirement_is_locked(kind: str) -> None:
    wanted = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", (ROOT / f"{kind}.in").read_text(), re.MULTILINE)
    assert wanted
    assert {name.lower() for name in wanted} - pins(f"{kind}.lock").keys() == set()
