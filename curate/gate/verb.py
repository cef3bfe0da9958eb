"""`curate gate`: the thresholds of the recipe, a check each, over what there is in the workspace."""

from collections.abc import Mapping
from dataclasses import replace

from curate import finders, recipe, registry
from curate.decisions import LEAK
from curate.errors import UserError, known
from curate.gate import facts as reading
from curate.gate import runs, tables
from curate.gate.check import Check, Judged
from curate.gate.facts import Facts
from curate.recipe import Gate
from curate.workspace import Workspace


def gate(workspace: Workspace, *, changes: Mapping[str, object], run: str | None = None) -> Judged:
    """Check the workspace by the thresholds of its recipe, some of them changed. Writes nothing.

    run: the run to judge; None: see `curate.gate.runs.chosen`.
    """
    thresholds = recipe.change_gate(recipe.in_workspace(workspace).gate, changes)
    found = registry.functions(finders)
    for name in thresholds.findings:
        if name not in found:
            raise known("finder of gate.findings", name, list(found))
        if registry.on_request(found[name]):
            raise UserError(f"gate.findings.{name}: this finder proposes, it finds nothing wrong; take it out there")
    _refuse_what_is_off(thresholds)
    wanted = [name for name, limit in thresholds.findings.items() if limit is not None]
    return judge(reading.read(workspace, dict.fromkeys([*wanted, LEAK])), thresholds, run=run)


def judge(facts: Facts, thresholds: Gate, *, run: str | None = None) -> Judged:
    """Make every check that has a threshold.

    Where there is nothing to check, a check is skipped, or fails where `required` names it.
    """
    judged_run = runs.chosen(facts, run)
    checks = [tables.curated_current(facts), tables.findings_current(facts), tables.decisions_current(facts)]
    limits = thresholds.findings.items()
    checks += [tables.open_findings(facts, name, limit) for name, limit in limits if limit is not None]
    if thresholds.leaks is not None:
        checks.append(tables.leaks(facts, thresholds.leaks))
    if thresholds.images_per_class is not None:
        checks.append(tables.images_per_class(facts, thresholds.images_per_class))
    if thresholds.test_images is not None:
        checks.append(tables.test_images(facts, thresholds.test_images))
    if thresholds.disputes is not None:
        checks.append(tables.disputes(facts, thresholds.disputes))
    checks.append(runs.run_current(facts, judged_run))
    if thresholds.accuracy_loss is not None:
        checks.append(runs.accuracy_loss(facts, judged_run, thresholds.accuracy_loss))
    if thresholds.accuracy_at_least is not None:
        checks.append(runs.accuracy_at_least(facts, judged_run, thresholds.accuracy_at_least))
    if thresholds.proof_loss is not None:
        checks.append(runs.proof_loss(facts, thresholds.proof_loss))
    checks = [_required(each) if each.name.partition(".")[0] in thresholds.required else each for each in checks]
    return Judged(all(each.status != "failed" for each in checks), facts.judged, checks)


def _refuse_what_is_off(thresholds: Gate) -> None:
    """Raises `UserError` for a check that is required and has no threshold: it would pass unseen."""
    off = {name for name, value in thresholds if value is None}
    if all(limit is None for limit in thresholds.findings.values()):
        off.add("findings")
    for name in thresholds.required:
        if name in off:
            raise UserError(f"gate.required names {name!r}, which has no threshold; give it one, or take it out there")


def _required(check: Check) -> Check:
    """A skipped check as a failed one."""
    if check.status != "skipped":
        return check
    return replace(check, status="failed", reason=f"{check.reason}; the recipe requires it")
