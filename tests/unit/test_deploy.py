"""The files of deploy/ name verbs, roles, keys and metrics that there are."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli import app
from bot.config import load_config
from bot.health import Metrics
from bot.jobs_table import JobCount
from bot.roles import ALL_ROLES, read_roles

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = sorted(DEPLOY.rglob("*.yaml"))
METRIC = re.compile(r"\binkpost_[a-z_]+")


def documents() -> list[Any]:
    return [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text("utf-8"))]


def found(key: str, inside: Any) -> Iterator[Any]:
    """Every value of a key, at whatever depth."""
    match inside:
        case dict():
            for name, value in inside.items():
                if name == key:
                    yield value
                yield from found(key, value)
        case list():
            for value in inside:
                yield from found(key, value)


def commands() -> list[list[str]]:
    """What is run as `inkpost`, without its name."""
    written = [one for one in found("command", documents()) if one[0] == "inkpost"]
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # systemd's keys have capitals
    unit.read_string(
        (DEPLOY / "inkpost.service").read_text("utf-8").replace("Environment=INKPOST_DATA", "X=INKPOST_DATA")
    )
    lines = [unit["Service"]["ExecStart"], unit["Service"]["ExecStartPre"]]
    assert all(line.startswith("/opt/inkpost/bin/inkpost ") for line in lines)
    return [one[1:] for one in written] + [line.split()[1:] for line in lines]


def environments() -> Iterator[dict[str, str]]:
    config: dict[str, str] = next(
        one["data"] for one in documents() if one.get("kind") == "ConfigMap"
    )  # that of Kubernetes, which every container has
    yield config
    for listed in found("env", documents()):
        yield config | {one["name"]: one["value"] for one in listed}
    for given in found("environment", yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))):
        if "INKPOST_RELAY__HOST" in given:
            yield given


def test_commands_are_verbs_that_there_are() -> None:
    assert {command[0] for command in commands()} == {"serve", "migrate", "check"}
    assert all(command[0] in app for command in commands())


def test_all_roles_are_somebodys() -> None:
    for name in ("compose.yaml", "kubernetes"):
        text = [path for path in MANIFESTS if name in str(path)]
        run = [one for path in text for one in found("command", list(yaml.safe_load_all(path.read_text("utf-8"))))]
        roles = [read_roles(one[-1]) for one in run if one[:3] == ["inkpost", "serve", "--roles"]]
        assert frozenset().union(*roles) == ALL_ROLES


def test_settings_are_keys_that_there_are() -> None:
    given = list(environments())
    assert len(given) >= 4
    for environment in given:
        load_config(None, environment=environment)


def test_probes_ask_for_pages_that_there_are() -> None:
    assert {one["path"] for one in found("httpGet", documents())} == {"/healthz", "/readyz"}


def metric_names() -> set[str]:
    metrics = Metrics()
    metrics.mail_processed("answered")
    metrics.job_finished("deliver", "done", 1.0)
    metrics.circuit_changed("relay", "open")
    now = datetime.now(UTC)
    metrics.watch_jobs(lambda: [JobCount("inbound", "process_mail", "todo", 1, now)], clock=lambda: now)
    return set(METRIC.findall(metrics.text().decode()))


@pytest.mark.parametrize("name", ["prometheus-alerts.yaml", "grafana-dashboard.json"])
def test_metrics_are_some_that_there_are(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    if name.endswith("json"):
        assert len(json.loads(text)["panels"]) >= 8
    else:
        assert all({"alert", "expr", "annotations"} <= set(rule) for group in yaml.safe_load(text)["groups"]
                   for rule in group["rules"])  # fmt: skip
    named = set(METRIC.findall(text))
    assert named
    assert named <= metric_names()
