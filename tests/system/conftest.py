"""Fixtures of the system tests: booted machines, shared by the tests of a row."""
# SPDX-License-Identifier: BSD-3-Clause

import fcntl
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rows  # noqa: E402
from lib import debugimage, debugmachine, facts  # noqa: E402
from lib.machine import LOGS, Machine, run  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--all-rows", action="store_true", help="the full product instead of the pairwise table")
    parser.addoption("--planned", action="store_true", help="also the rows that the VMM does not support yet")
    parser.addoption("--as-bare", action="store_true", help="leave the VMM out: tests the tests")


def row_params(table):
    return [pytest.param(r, id=r.name, marks=[pytest.mark.fast] if r.fast else []) for r in table]


def chosen_rows(config):
    table = rows.ALL_ROWS if config.getoption("--all-rows") else rows.ROWS
    return table + (rows.PLANNED_ROWS if config.getoption("--planned") else [])


def pytest_generate_tests(metafunc):
    if "row" in metafunc.fixturenames and not any("row" in m.args[0] for m in metafunc.definition.iter_markers("parametrize")):
        table = rows.BARE_ROWS if metafunc.module.__name__ == "test_bare" else chosen_rows(metafunc.config)
        if hasattr(metafunc.module, "wants_row"):
            table = [r for r in table if metafunc.module.wants_row(r)]
        metafunc.parametrize("row", row_params(table), scope="module")


# Fixtures of modules that are running machines, or what one run of them gave, and the parameter that tells which.
SHARED = {"machine": "row", "reports": "place", "iommu": "iommu", "m": "m", "bare": "bare"}


def shared_machine(item):
    """The name of the machine that a test shares with others; None: it starts its own."""
    if item.get_closest_marker(debugmachine.IN_BOCHS.name):
        return debugmachine.IN_BOCHS.name
    spec = getattr(item, "callspec", None)
    if "start" in item.fixturenames:  # and ends it
        return None
    for fixture, parameter in SHARED.items():
        if fixture in item.fixturenames and (fixture == "machine" or hasattr(item.module, fixture)):
            value = spec and spec.params.get(parameter)
            # by its name, for a test that wants some of the machines counts them anew
            which = spec and (getattr(value, "name", None) or (value if isinstance(value, str) else spec.indices.get(parameter)))
            return f"{item.module.__name__}-{fixture}-{which or 0}"
    return None


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the marks
def pytest_collection_modifyitems(items):
    """
    Two machines run side by side (pytest-xdist). Tests that share one stay in one process: each process would start its own,
    and two of one name write the same files, the guest's disk among them.
    """
    for item in items:
        name = "test_loader" if item.module.__name__ == "test_loader" else shared_machine(item) or item.nodeid
        item.add_marker(pytest.mark.xdist_group(name))
        if run.IMAGE != run.PRODUCT and item.get_closest_marker("product"):
            item.add_marker(pytest.mark.skip(reason=f"measures the product, and {run.IMAGE} is in its place"))


@pytest.hookimpl(trylast=True)  # behind the fixtures that use it
def pytest_runtest_teardown(nextitem):
    if not (nextitem and nextitem.get_closest_marker(debugmachine.IN_BOCHS.name)):
        debugmachine.end()


@pytest.fixture(scope="session")
def bare(testrun_uid):
    """bare(row) -> what a guest says on the same machine without the VMM; each machine is asked once in a run of the tests."""
    def boot(row):
        with Machine(f"bare-facts-{row.name}", bare=True, **row.options()) as m:
            m.boot()
            return {"flags": sorted(facts.cpu_flags(m)), "ram": facts.ram_below_4g(m), "pci": facts.pci(m)}

    def ask(row):
        fw = "bios" if row.fw == "bios" else "uefi"
        key = "-".join(["bare", row.emu, fw, str(row.cpus), row.kernel, row.vmm_as, row.disk, row.net, row.cpu])
        os.makedirs(LOGS, exist_ok=True)
        # two processes run tests, and both may want this machine
        with open(os.path.join(LOGS, key + ".json"), "a+", encoding="utf-8") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.seek(0)
            text = f.read()
            known = json.loads(text) if text else {}
            if known.get("run") != testrun_uid:
                known = {"run": testrun_uid, "facts": boot(row)}
                f.truncate(0)
                f.write(json.dumps(known))
        found = known["facts"]
        return {"flags": set(found["flags"]), "ram": [tuple(r) for r in found["ram"]], "pci": {a: tuple(i) for a, i in found["pci"].items()}}

    return ask


@pytest.fixture(scope="module")
def machine(request, row):
    """A machine of this row with the guest's shell; one boot for all tests of a module that only look."""
    as_bare = request.config.getoption("--as-bare") or request.module.__name__ == "test_bare"
    if row.emu == "bochs" and any("bare" in i.fixturenames and i.module is request.module for i in request.session.items):
        request.getfixturevalue("bare")(row)  # before, for an idle machine in Bochs takes as much of the host as a busy one
    if row.elf:
        debugimage.build()
    module = request.module.__name__.removeprefix("test_")
    with Machine(f"{module}-{row.name}", bare=as_bare, **row.options()) as m:
        yield m.boot()


@pytest.fixture
def start(request, row):
    """start(name, **more options) -> a machine of this row, for a test that ends it; stopped after the test."""
    running = []

    def begin(name, **more):
        m = Machine(f"{name}-{row.name}", **({"bare": request.config.getoption("--as-bare")} | row.options() | more))
        running.append(m)
        return m.__enter__()

    yield begin
    for m in running:
        m.__exit__(None, None, None)


@pytest.fixture
def conf(tmp_path):
    """conf(text) -> path of a configuration file."""
    def write(text):
        path = tmp_path / "bitvisor.conf"
        path.write_text(text)
        return str(path)

    return write
