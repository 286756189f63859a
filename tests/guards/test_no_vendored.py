"""Nothing of others is copied in, and no lock file names where packages come from."""

from tests.guards.checkout import ROOT, files

REFUSED_NAMES = {"package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock", "poetry.lock"}
REFUSED_FOLDERS = {"node_modules", "vendor", "third_party", "site-packages", "dist"}
REFUSED_ENDINGS = {".whl", ".min.js", ".min.css", ".so", ".exe", ".zip", ".gz", ".woff2"}
LARGEST_BYTES = 300_000


def test_no_foreign_package_is_in_the_checkout() -> None:
    assert [file for file in files() if file.name in REFUSED_NAMES or REFUSED_FOLDERS & set(file.parts)] == []


def test_no_built_file_is_in_the_checkout() -> None:
    assert [file for file in files() if any(file.name.endswith(ending) for ending in REFUSED_ENDINGS)] == []


def test_no_large_file_is_in_the_checkout() -> None:
    sizes = {str(file): (ROOT / file).stat().st_size for file in files()}
    assert {file: size for file, size in sizes.items() if size > LARGEST_BYTES} == {}
