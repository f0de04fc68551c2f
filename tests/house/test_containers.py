"""The files for Docker and Kubernetes, which nothing here can run: what they name exists, and the hub knows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML
from typer.core import TyperGroup

from hub.cli.main import app
from hub.runtime.roles import roles_of
from tests.house.sources import ROOT, tracked_files

KUBERNETES = sorted(path for path in tracked_files() if "kubernetes" in path.parts and path.suffix == ".yaml")
COMPOSE = ROOT / "docker" / "compose.scale.yaml"
#: What the hub reads of its environment.
VARIABLES = {"CONCORD_DATABASE", "CONCORD_NATS", "CONCORD_KEY", "CONCORD_ENVIRONMENT", "CONCORD_DATA"}
#: The fields that a kind must have, as paths.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "Service": ("spec.selector", "spec.ports"),
    "StatefulSet": ("spec.serviceName", "spec.selector.matchLabels", "spec.template.spec.containers"),
    "Deployment": ("spec.replicas", "spec.selector.matchLabels", "spec.template.spec.containers"),
    "PodDisruptionBudget": ("spec.selector.matchLabels", "spec.maxUnavailable"),
    "ConfigMap": ("data",),
    "Secret": ("type", "stringData"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.resources.requests.storage"),
}


def documents() -> Iterator[Any]:
    """Give all manifests."""
    for path in KUBERNETES:
        yield from YAML(typ="safe").load_all(path.read_text())


def found(document: Any, path: str) -> Any:
    """Give what stands at a path; None where nothing does."""
    for name in path.split("."):
        if not isinstance(document, Mapping) or name not in document:
            return None
        document = document[name]
    return document


def read(arguments: list[str]) -> Mapping[str, Any]:
    """Read a command line as `concord` would, and do nothing."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    command = group.commands[arguments[0]]
    return command.make_context(arguments[0], list(arguments[1:])).params


def assert_runs(arguments: list[str]) -> Mapping[str, Any]:
    """Assert that a process's command line is one; gives its options."""
    options = read(arguments)
    assert roles_of(options["roles"])
    assert options["host"] == "0.0.0.0"  # noqa: S104 - inside of a container
    return options


def test_every_manifest_has_what_its_kind_must_have() -> None:
    kinds = []
    for document in documents():
        kinds.append(document["kind"])
        assert document["apiVersion"]
        assert document["metadata"]["name"]
        missing = [path for path in REQUIRED[document["kind"]] if found(document, path) in (None, {}, [])]
        assert missing == [], document["kind"]
    assert set(kinds) == set(REQUIRED)


def test_selectors_choose_the_pods_that_are_made() -> None:
    every = list(documents())
    pods = [each["spec"]["template"] for each in every if each["kind"] in ("StatefulSet", "Deployment")]
    labels = [pod["metadata"]["labels"] for pod in pods]
    for each in every:
        selector = found(each, "spec.selector")
        wanted = selector if each["kind"] == "Service" else found(each, "spec.selector.matchLabels")
        if wanted is not None:
            assert wanted in labels, each["metadata"]


@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment"])
def test_containers_have_a_command_line_that_is_one_and_probes_where_it_answers(kind: str) -> None:
    (made,) = [each for each in documents() if each["kind"] == kind]
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = assert_runs(container["args"])
    (port,) = container["ports"]
    assert options["port"] == port["containerPort"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness", "startup")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    paths = {name: probe["path"] for name, probe in probes.items()}
    assert paths == {"liveness": "/healthz", "readiness": "/readyz", "startup": "/healthz"}
    # Longer than the process itself takes, or it would be killed in its drain.
    assert pod["terminationGracePeriodSeconds"] > 10
    volumes = {each["name"] for each in pod.get("volumes", [])}
    volumes |= {each["metadata"]["name"] for each in made["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_manifests_give_variables_that_the_hub_reads_and_nothing_real() -> None:
    every = {each["kind"]: each for each in documents()}
    given = {**every["ConfigMap"]["data"], **every["Secret"]["stringData"]}
    assert set(given) <= VARIABLES
    assert all("CHANGE-ME" in value for value in every["Secret"]["stringData"].values())
    names = {every[kind]["metadata"]["name"] for kind in ("ConfigMap", "Secret")}
    for each in documents():
        for container in found(each, "spec.template.spec.containers") or []:
            told = [next(iter(source.values()))["name"] for source in container["envFrom"]]
            assert set(told) == names


def test_compose_has_command_lines_that_are_ones_and_names_what_it_makes() -> None:
    whole = YAML(typ="safe").load(COMPOSE.read_text())
    services = whole["services"]
    assert {name for name in services if name.startswith("nats")} == {"nats-1", "nats-2", "nats-3"}
    for name in ("hub", "worker"):
        service = services[name]
        options = assert_runs([str(word) for word in service["command"]])
        assert f":{options['port']}/healthz" in json.dumps(service["healthcheck"]["test"])
        assert set(service["environment"]) <= VARIABLES
        assert set(service["depends_on"]) <= set(services)
        assert (ROOT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert services["worker"]["deploy"]["replicas"] >= 2
    volumes = {str(each).partition(":")[0] for service in services.values() for each in service.get("volumes", [])}
    assert {name for name in volumes if name[0].isalpha()} == set(whole["volumes"])
    for service in services.values():
        for config in service.get("configs", []):
            assert config["source"] in whole["configs"]


def test_every_file_says_what_it_was_checked_with() -> None:
    files = [*KUBERNETES, COMPOSE, ROOT / "docker" / "Dockerfile"]
    assert len(files) == 5
    assert [path.name for path in files if "hecked as a file only" not in path.read_text()] == []
