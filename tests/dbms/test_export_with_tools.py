"""Exported files before the tools that they are for: Ansible, a parser of HCL, the types of RDS, Patroni's validators.

What the other tests of an export read by a strict reader is read here by the tool's own code. It is installed for the
tests alone. Terraform's provider and the resources of the two operators of Kubernetes are not among it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hcl2
import pytest
from pydantic import TypeAdapter, ValidationError

from otterflow.dbms.bundle.values import Bundle
from otterflow.dbms.postgresql import configuration_file, export
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from tests.dbms.bundles import HOSTILE, order_of, read_yaml, run_apply, terraform_of
from tests.dbms.patroni_parts import CaseInsensitiveSet, ConfigHandler, transform_postgresql_parameter_value

pytestmark = pytest.mark.slow

_MESSAGE = "MessageTypeDef"
_NOT_OF_THE_CALL = {"query", "output"}
"""Options of the AWS CLI itself."""


def whole(live: dict[str, LiveSetting], catalog: KnobCatalog, because: str = "found in trial 3") -> Bundle:
    """The bundle of a configuration that has every knob which the catalog tunes."""
    config: dict[str, Value] = {name: live[name].value for name in catalog.tunable(15) if name in live}
    return export.bundle(order_of(live, config, 15, because=because))


@pytest.fixture(params=["found in trial 3", HOSTILE], ids=["quiet", "hostile"])
def bundle(request: pytest.FixtureRequest, live: dict[str, LiveSetting], catalog: KnobCatalog) -> Bundle:
    return whole(live, catalog, request.param)


def test_ansible_writes_the_file_and_then_turns_to_the_service(bundle: Bundle, tmp_path: Path) -> None:
    """By its own modules, on this machine, as who runs the tests; of a service that there is not."""
    text, knobs_file = bundle.files["ansible/playbook.yml"], tmp_path / "zz-otterflow.conf"
    for theirs, mine in (("owner: postgres", f"owner: {os.getuid()}"), ("group: postgres", f"group: {os.getgid()}")):
        assert theirs in text
        text = text.replace(theirs, mine)
    (tmp_path / "playbook.yml").write_text(text)
    given = {
        "target": "localhost", "knobs_file": str(knobs_file), "service_name": "otterflow-no-such-service",
        "ansible_become": False, "ansible_python_interpreter": sys.executable,
    }  # fmt: skip
    done = subprocess.run(
        [
            sys.executable, "-m", "ansible", "playbook", "--connection", "local", "--inventory", "localhost,",
            "--extra-vars", json.dumps(given), "playbook.yml",
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert knobs_file.exists(), done.stdout + done.stderr
    assert configuration_file.parse(knobs_file.read_text()) == configuration_file.parse(bundle.files["knobs.conf"])
    assert "RUNNING HANDLER [Restart the server]" in done.stdout
    assert "otterflow-no-such-service" in done.stdout


@pytest.mark.parametrize("folder", ["rds", "aurora"])
def test_terraforms_language_reads_the_group(bundle: Bundle, folder: str) -> None:
    strict = terraform_of(bundle.files[f"{folder}/main.tf"])
    (resource,) = hcl2.loads(bundle.files[f"{folder}/main.tf"])["resource"]
    group = resource[_quoted(strict["type"])][_quoted(strict["label"])]
    assert _plain(group["name"]) == strict["name"]
    assert _plain(group["family"]) == strict["family"]
    found = {_plain(p["name"]): (_plain(p["value"]), _plain(p["apply_method"])) for p in group["parameter"]}
    assert found == strict["parameters"]


def _quoted(text: str) -> str:
    return f'"{text}"'


def _plain(text: str) -> str:
    return text.removeprefix('"').removesuffix('"')


@pytest.fixture
def type_defs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The types of the service's messages. They need no botocore; the package that they are in would import it."""
    found = importlib.util.find_spec("types_boto3_rds")
    assert found is not None
    package = ModuleType("types_boto3_rds")
    package.__path__ = list(found.submodule_search_locations or ())
    monkeypatch.setitem(sys.modules, "types_boto3_rds", package)
    return importlib.import_module("types_boto3_rds.type_defs")


@pytest.mark.parametrize("folder", ["rds", "aurora"])
def test_each_call_of_the_script_is_one_of_rds_with_parameters_that_it_takes(
    bundle: Bundle, type_defs: ModuleType, folder: str, tmp_path: Path
) -> None:
    """By types that are generated from AWS's own description of the service, of which its CLI is made as well."""
    code, said, calls = run_apply(bundle, folder, tmp_path)
    assert code == 0, said
    messages = {_as_option(name.removesuffix(_MESSAGE)): name for name in vars(type_defs) if name.endswith(_MESSAGE)}
    assert len(calls) >= 4
    for call in calls:
        product, command, options = call.split(maxsplit=2)
        assert product == "rds"
        message = getattr(type_defs, messages[command])
        TypeAdapter(message).validate_python(_parameters(message, options, tmp_path / folder))


def test_the_types_of_rds_refuse_what_the_service_does(type_defs: ModuleType) -> None:
    row = {"ParameterName": "work_mem", "ParameterValue": "4096", "ApplyMethod": "soon"}
    message = {"DBParameterGroupName": "group", "Parameters": [row]}
    with pytest.raises(ValidationError, match="immediate"):
        TypeAdapter(type_defs.ModifyDBParameterGroupMessageTypeDef).validate_python(message)


def _as_option(name: str) -> str:
    """A name of the service's in the CLI: `DBParameterGroupName` is `db-parameter-group-name`."""
    return re.sub("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _parameters(message: type, options: str, folder: Path) -> dict[str, Any]:
    """A call's options as the service's own parameters; one that the call has not is an error."""
    members = {_as_option(name): name for name in message.__annotations__}
    found: dict[str, Any] = {}
    for name, text in re.findall(r"--([a-z-]+) (.*?)(?= --[a-z]|$)", options, re.DOTALL):
        if name in _NOT_OF_THE_CALL:
            continue
        value = read_yaml((folder / text.removeprefix("file://")).read_text()) if text.startswith("file://") else text
        found[members[name]] = value
    return found


def test_patroni_takes_each_value_and_sets_it_as_it_is(bundle: Bundle, live: dict[str, LiveSetting]) -> None:
    """By the validators with which it writes its postgresql.conf: one that it does not take is dropped, or cut."""
    given = read_yaml(bundle.files["patroni/patch.yaml"])["postgresql"]["parameters"]
    assert len(given) > 50
    known = CaseInsensitiveSet(live)
    for name, value in given.items():
        assert transform_postgresql_parameter_value(150000, name, value, known) == value, name
        _, takes, _ = ConfigHandler.CMDLINE_OPTIONS.get(name, (None, lambda _: True, 0))
        assert takes(value), f"{name}: Patroni sets its own"


def test_patroni_drops_what_is_left_out(live: dict[str, LiveSetting]) -> None:
    for name, least in export.PATRONI_LEAST.items():
        _, takes, _ = ConfigHandler.CMDLINE_OPTIONS[name]
        assert takes(str(least)), name
        assert not takes(str(least - 1)), name
    assert export.PATRONI_FIXED.keys() <= ConfigHandler.CMDLINE_OPTIONS.keys()
