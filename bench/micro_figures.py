"""The microbenchmarks of bench/micro: run, and their rows read."""

import subprocess

QUICK_OPTIONS = ["--quick", "--entries", "100000", "--threads", "1,4", "cache-get", "cache-pool", "token", "request", "answer", "decision"]


FIELDS = ("group", "name", "parameters", "ns_per_operation", "allocations_per_operation", "operations_per_second", "ratio", "ratio_of")
NUMBERS = 5  # the fields behind the parameters


def binary(settings):
    return settings.build / "bench/micro/micro"


def measure(settings):
    """Its rows, as it prints them."""
    options = QUICK_OPTIONS if settings.is_quick else []
    done = subprocess.run([str(binary(settings)), "--csv", *options], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit("bench/micro failed")
    header, *lines = done.stdout.splitlines()
    if tuple(header.split(",")) != FIELDS:
        raise SystemExit(f"bench/micro gave other columns: {header}")
    return [parse_row(line) for line in lines]


def parse_row(line):
    """A row whose name may have commas in it, quoted or not."""
    head, *numbers = line.rsplit(",", NUMBERS)
    group, rest = head.split(",", 1)
    name, parameters = rest.rsplit(",", 1)
    return dict(zip(FIELDS, (group, name.strip('"'), parameters.strip('"'), *numbers)))


def print_rows(rows):
    print(f"\n{'microbenchmarks':<72}{'CPU ns':>10}{'allocations':>12}{'ratio':>8}")
    for row in rows:
        what = " ".join((row["group"], row["name"], row["parameters"]))
        ratio = f"{float(row['ratio']):>8.2f}  {row['ratio_of']}" if row["ratio"] else ""
        print(f"{what:<72}{float(row['ns_per_operation']):>10.1f}{float(row['allocations_per_operation']):>12.2f}{ratio}")


def select(rows, group, name, parameters):
    """The one row of that name; a benchmark that has no such row was changed, and so must be what reads it."""
    found = [row for row in rows if (row["group"], row["name"], row["parameters"]) == (group, name, parameters)]
    if len(found) != 1:
        raise SystemExit(f"bench/micro gave {len(found)} rows {group}, {name}, {parameters}")
    return found[0]
