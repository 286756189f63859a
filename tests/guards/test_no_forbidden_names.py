"""No grab bags: a module is named by what it is about."""

from tests.guards.checkout import python_files

GRAB_BAGS = {
    "util", "utils", "helper", "helpers", "common", "core", "service", "services", "manager", "managers", "misc",
    "tools", "shared", "base_classes", "mixins",
}  # fmt: skip


def test_no_module_is_a_grab_bag() -> None:
    modules = python_files("src/", "tests/", "bench/")
    assert len(modules) > 50
    assert [str(file) for file in modules if GRAB_BAGS & {*file.with_suffix("").parts}] == []
