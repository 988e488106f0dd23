"""What docs/ offers to copy (rules, dashboard, manifests, container) is what netkit has."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from netkit.observe.exposition import COUNTERS, GAUGES
from support.cli import ROOT, run_cli
from support.peers import require

DOCS = ROOT / "docs"
METRICS = {*GAUGES, *(f"{name}_total" for name in COUNTERS)}
OF_THE_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
MANIFESTS = sorted((DOCS / "deploy" / "kubernetes").glob("*.yaml"))


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:netkit|process)_[a-z_]+\b", text))


def test_the_rules_are_rules():
    done = subprocess.run(
        [require("promtool"), "check", "rules", DOCS / "alerts.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 6 rules found" in done.stdout


def test_rules_ask_for_what_there_is():
    groups = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    expressions = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    asked = metrics_in(expressions)
    assert len(asked) >= 5
    assert asked <= METRICS
    labels = set(re.findall(r"(\w+)=~?\"", expressions)) - {"job"}
    assert labels <= {label for _, labels in GAUGES.values() for label in labels}


def test_the_dashboard_asks_for_what_there_is():
    board = json.loads((DOCS / "grafana" / "netkit.json").read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries = [each["definition"] for each in board["templating"]["list"] if "definition" in each]
    asked = metrics_in(" ".join([*targets, *queries]))
    assert len(asked) > 10
    assert asked <= METRICS | OF_THE_PROCESS
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_dashboards_queries_parse(tmp_path: Path):
    board = json.loads((DOCS / "grafana" / "netkit.json").read_text())
    rules = [
        {"record": f"x:{panel['id']}_{target['refId']}", "expr": target["expr"]}
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    text = json.dumps({"groups": [{"name": "x", "rules": rules}]})
    file = tmp_path / "queries.yml"  # JSON is YAML
    file.write_text(text.replace("$__rate_interval", "5m"))
    done = subprocess.run(
        [require("promtool"), "check", "rules", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documentation_tells_of_every_metric():
    rows = re.findall(
        r"^\| `(netkit_\w+)` \| ([^|]+) \|", (DOCS / "observability.md").read_text(), re.MULTILINE
    )
    families = {**GAUGES, **{f"{name}_total": value for name, value in COUNTERS.items()}}
    assert {name: tuple(labels.split(", ")) for name, labels in rows} == {
        name: labels for name, (_, labels) in families.items()
    }


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_fit_the_schemas_of_kubernetes(file: Path):
    documents = list(yaml.safe_load_all(file.read_text()))
    assert documents
    for version in ("1.29", kubernetes_validate.latest_version()):
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_start_netkit_as_it_is(file: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETKIT_PROFILES", raising=False)
    for container in _tunnels(file):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
        arguments = container["args"]
        port = re.search(r"--metrics=0\.0\.0\.0:(\d+)", " ".join(arguments))
        assert port is not None
        assert {"name": "metrics", "containerPort": int(port[1])} in container["ports"]
        done = run_cli(*arguments, "--dry-run")
        assert done.code == 0, done.err


def _tunnels(file: Path) -> list[dict[str, Any]]:
    found = []
    for document in yaml.safe_load_all(file.read_text()):
        spec = document["spec"].get("template", document).get("spec", {})
        containers = [*spec.get("initContainers", []), *spec.get("containers", [])]
        found += [each for each in containers if each["name"] == "netkit"]
    assert found
    return found


def test_the_container_is_nobody_of_importance():
    lines = (DOCS / "deploy" / "Containerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["65532:65532"]
    copied = [line.split()[1] for line in lines if line.startswith("COPY docs/")]
    assert copied
    assert all((ROOT / each).is_file() for each in copied)
