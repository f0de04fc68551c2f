"""The files for Docker and Kubernetes, which nothing here can run: what they name exists, and the hub knows it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer.main
from ruamel.yaml import YAML
from typer.core import TyperGroup

from hub.backbone import settings
from hub.backbone.settings import NatsSettings, nats_settings
from hub.cli.main import app
from hub.proof.servers.nats import program
from hub.runtime.roles import roles_of
from hub.sandbox.certificates import issue
from tests.house.sources import ROOT, tracked_files

KUBERNETES = sorted(path for path in tracked_files() if "kubernetes" in path.parts and path.suffix == ".yaml")
COMPOSE = ROOT / "docker" / "compose.scale.yaml"
#: What the hub reads of its environment.
VARIABLES = {
    *("CONCORD_DATABASE", "CONCORD_KEY", "CONCORD_ENVIRONMENT", "CONCORD_DATA"),
    *(settings.SERVERS, settings.AUTHORITY, settings.REPLICAS, settings.MONITOR),
}
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
    """Give all manifests, settings first."""
    for path in sorted(KUBERNETES, key=lambda path: path.name != "settings.yaml"):
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
    plain, secret = given_in_kubernetes()
    assert {*plain, *secret} <= VARIABLES
    # Kubernetes takes texts alone.
    assert all(isinstance(value, str) for value in plain.values())
    assert all("CHANGE-ME" in value for value in secret.values())
    for each in documents():
        for container in found(each, "spec.template.spec.containers") or []:
            assert {next(iter(source)): next(iter(source.values()))["name"] for source in container["envFrom"]} == {
                "configMapRef": "concord",
                "secretRef": "concord",
            }


def given_in_kubernetes() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Give the variables of every process, and of these what is secret apart."""
    every = {(each["kind"], each["metadata"]["name"]): each for each in documents()}
    return every["ConfigMap", "concord"]["data"], every["Secret", "concord"]["stringData"]


def given_in_compose(password: str = "pass") -> Mapping[str, str]:  # noqa: S107 - a password of nothing
    """Give the variables of every process of the hub, with a password put in."""
    services = YAML(typ="safe").load(COMPOSE.read_text())["services"]
    assert services["hub"]["environment"] == services["worker"]["environment"]
    return {name: put_in(value, password) for name, value in services["hub"]["environment"].items()}


def put_in(text: str, password: str) -> str:
    """Put a password in where Compose puts in a variable."""
    return re.sub(r"\$\{[A-Z_]+:\?\}", password, text)


def read_settings(given: Mapping[str, str]) -> NatsSettings:
    found = nats_settings(given)
    assert found is not None
    return found


def test_the_hub_reads_in_both_that_three_servers_keep_a_feed_and_where_it_sees_how_they_sync(tmp_path: Path) -> None:
    """Also where one name stands for the three; there the way is encrypted, and the authority's file is mounted."""
    compose = read_settings(given_in_compose())
    plain, secret = given_in_kubernetes()
    _, authority = issue(tmp_path, "localhost")
    cluster = read_settings({**plain, **secret, settings.AUTHORITY: str(authority)})
    for read in (compose, cluster):
        assert (read.replicas, len(set(read.monitors))) == (3, 3)
    hosts = {server.host for server in compose.servers}
    assert {urlsplit(monitor).hostname for monitor in compose.monitors} == hosts
    assert all(server.tls for server in cluster.servers)


def test_the_authority_of_postgresql_and_nats_is_a_file_that_every_container_has() -> None:
    """`sslrootcert=system` is none: the driver's own libpq looks for authorities where no image has them."""
    plain, secret = given_in_kubernetes()
    database = parse_qs(urlsplit(secret["CONCORD_DATABASE"]).query)
    assert database["sslmode"] == ["verify-full"]
    wanted = {plain[settings.AUTHORITY], *database["sslrootcert"]}
    maps = {each["metadata"]["name"]: each["data"] for each in documents() if each["kind"] == "ConfigMap"}
    for each in documents():
        pod = found(each, "spec.template.spec")
        if pod is None:
            continue
        named = {volume["name"]: volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
        (container,) = pod["containers"]
        files = {
            f"{mount['mountPath']}/{file}"
            for mount in container["volumeMounts"]
            if mount["name"] in named
            for file in maps[named[mount["name"]]]
        }
        assert wanted <= files
    image = (ROOT / "docker" / "Dockerfile").read_text()
    assert "install --yes --no-install-recommends ca-certificates" in image


@pytest.mark.parametrize("password", ["geheim", "20261123", "12e4", "5k", "true", "a b"])
def test_nats_takes_the_password_that_the_hub_gives_it(password: str, tmp_path: Path) -> None:
    """Digits alone would be a number there, and no password."""
    whole = YAML(typ="safe").load(COMPOSE.read_text())
    (told,) = {
        put_in(whole["services"][f"nats-{number}"]["environment"]["NATS_PASSWORD"], password) for number in (1, 2, 3)
    }
    config = tmp_path / "nats.conf"
    config.write_text(whole["configs"]["nats"]["content"].replace("$$", "$"))
    done = subprocess.run(
        [program(), "-t", "--config", str(config)],
        env={"NATS_PASSWORD": told},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {server.password for server in read_settings(given_in_compose(password)).servers} == {password}


def test_an_image_takes_in_the_project_and_nothing_of_this_machine() -> None:
    """No history and no hub's data with its keys; all that the build reads stays."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert {".git", ".venv", ".data", ".env"} <= set(ignored)

    def leaves_out(path: str) -> bool:
        parts = path.split("/")
        heads = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        return any(
            fnmatch(head, pattern) or (pattern.startswith("**/") and fnmatch(head.rpartition("/")[2], pattern[3:]))
            for head in heads
            for pattern in ignored
        )

    unkept = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    assert [name for name in unkept if not leaves_out(name.replace("*", "x").replace("[cod]", "c"))] == []
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = (*build["packages"], *build["hooks"]["custom"]["workspace"])
    kept = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    wanted = {path for path in kept if path.startswith(tuple(f"{folder}/" for folder in needed))}
    wanted |= {"pyproject.toml", "constraints.txt", "hatch_build.py", "README.md", "LICENSE"}
    assert len(wanted) > 500
    assert [path for path in sorted(wanted) if leaves_out(path)] == []


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
