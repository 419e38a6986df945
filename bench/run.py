#!/usr/bin/env python3
"""Holds introspectd against a bare libh2o responder (ceiling.c): `run.py --help`.

Writes every run, and plots, to bench/results/ (quick: to the build); prints medians, and which of the figures to reach were reached.
Whether they were is no matter of the exit status; a request that is not answered as it must be is.
"""

import sys
import time

import calls
import cases
import hostile_callers
import memory
import micro_figures
import plots
import pools
import results
import servers
import settings
import targets
from sizing import replicas, table

TIMED_PARTS = {"hot", "pool", "cold", "inactive"}


def run_timed(workshop, pool_set, chosen, write):
    """Gives the rows of every timed part."""
    field = cases.Field(workshop, pool_set, chosen)
    rows = []
    for part in (part for part in chosen.parts if part in TIMED_PARTS):
        part_rows = cases.measure_part(field, part)
        write(part, part_rows)
        rows += part_rows
    for server in field.servers():
        workshop.stop(server)
    return rows


def answer_len_of(workshop, pool_set):
    server = workshop.start_introspectd("probe", "64MiB")
    status, _, answer = servers.ask(server, workshop, "form", pool_set.request("form"))
    workshop.stop(server)
    if status != 200:
        raise SystemExit(f"introspectd: {status} {answer!r}")
    return len(answer)


def replay_tool(chosen):
    return chosen.build / "bench/sizing/replay"


def check_build(chosen):
    """Says at the start what would be missed at the end."""
    tools = [chosen.build / "bench" / name for name in ("ceiling", "load", "tokens", "raw_verify", "libcount_calls.so")]
    tools.append(chosen.binary)
    if "micro" in chosen.parts:
        tools.append(micro_figures.binary(chosen))
    if "replicas" in chosen.parts:
        tools.append(replay_tool(chosen))
    missing = [str(tool) for tool in tools if not tool.exists()]
    if missing:
        sys.exit(f"not built: {' '.join(missing)}")


def main(arguments):
    chosen = settings.parse(arguments)
    check_build(chosen)
    begun = time.monotonic()
    about = results.describe_machine(chosen)
    written = []

    def write(name, rows, **more):
        written.append(results.write_csv(chosen.results, name, rows, {**about, **more}))

    reached = []
    rows = []
    hostile_rows = []
    with servers.Workshop(chosen) as workshop:
        pool_set = pools.Pools(workshop, chosen)
        if set(chosen.parts) & TIMED_PARTS:
            rows = run_timed(workshop, pool_set, chosen, write)
            reached += targets.timed_targets(rows)
        if "calls" in chosen.parts:
            allocations, verifications = calls.measure(workshop, pool_set, chosen)
            write("allocations", allocations)
            write("verifications", verifications)
            reached += targets.allocation_targets(allocations)
        if "memory" in chosen.parts:
            figures, samples = memory.measure(workshop, pool_set, chosen, answer_len_of(workshop, pool_set))
            write("memory", [figures])
            write("mixed", samples)
            reached += targets.memory_targets(figures)
        if "hostile" in chosen.parts:
            hostile_rows = hostile_callers.measure(workshop, pool_set, chosen, lambda rows: write("hostile", rows))
    if "micro" in chosen.parts:
        micro_rows = micro_figures.measure(chosen)
        write("micro", micro_rows)
        micro_figures.print_rows(micro_rows)
        reached += targets.micro_targets(micro_rows)
    if "replicas" in chosen.parts:
        write("replicas", replicas.measure(replay_tool(chosen), chosen.is_quick), runs=replicas.ABOUT)
    written += plots.draw_all(chosen.results)
    if rows:
        targets.print_cases(rows)
    if hostile_rows:
        hostile_callers.print_rows(hostile_rows)
    if reached:
        targets.print_targets(reached)
    if "sizing" in chosen.parts:
        table.report(chosen.results, [table.Deployment(*asked) for asked in chosen.deployments])
    print(f"\n{time.monotonic() - begun:.0f} s; {len(written)} files in {chosen.results}")


if __name__ == "__main__":
    main(sys.argv[1:])
