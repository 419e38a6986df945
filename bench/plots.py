"""Draws what the CSV files of a results folder hold, each plot as SVG and PNG. Needs matplotlib."""

import os

os.environ.setdefault("MPLCONFIGDIR", os.path.join(os.environ.get("TMPDIR", "/tmp"), "introspectd-bench-matplotlib"))

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import targets
from results import median_of, read_csv
from sizing import replicas

# The same bytes for the same figures.
plt.rcParams.update({"svg.hashsalt": "introspectd", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
COLORS = {"introspectd": "#1f6feb", "bare libh2o": "#9aa4b2", "raw verify": "#d29922"}
THREAD_COLORS = ("#1a7f37", "#1f6feb", "#d29922")
LABELS = {"h1": "HTTP/1.1", "h2c": "h2c", "tls-h1": "TLS h1", "tls-h2": "TLS h2"}


def save(figure, folder, name):
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    figure.tight_layout()
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=150)
    plt.close(figure)
    # matplotlib leaves blanks at ends of lines.
    paths[0].write_text("\n".join(line.rstrip() for line in paths[0].read_text().splitlines()) + "\n")
    return paths


def cpu(by_server, name):
    return median_of(by_server[name], "cpu_us_per_request")


def draw_bars(axes, names, cases):
    """Beside each other: introspectd, and below one another what it is held against."""
    width = 0.38
    places = range(len(cases))
    ours = axes.bar([x - width / 2 for x in places], [cpu(case, "introspectd") for case in cases], width,
                    label="introspectd", color=COLORS["introspectd"])  # fmt: skip
    axes.bar_label(ours, fmt="%.1f", fontsize=7, padding=1)
    bottom = [0.0] * len(cases)
    for server in ("bare libh2o", "raw verify"):
        heights = [cpu(case, server) if server in case else 0.0 for case in cases]
        if any(heights):
            bars = axes.bar([x + width / 2 for x in places], heights, width, bottom=bottom, label=server, color=COLORS[server])
            bottom = [low + height for low, height in zip(bottom, heights)]
    axes.bar_label(bars, labels=[f"{height:.1f}" for height in bottom], fontsize=7, padding=1)
    axes.set_xticks(list(places), names)
    axes.set_ylabel("server CPU per request, µs")
    axes.legend(frameon=False)


def select(rows, **wanted):
    """The cases that have these values, by their key's other parts."""
    found = {}
    for key, by_server in targets.group(rows).items():
        named = dict(zip(targets.KEY, key))
        if all(named[name] == value for name, value in wanted.items()):
            found[key] = (named, by_server)
    return list(found.values())


def draw_hot(rows, folder):
    found = select(rows, body="form")
    figure, axes = plt.subplots(figsize=(9, 3.6))
    draw_bars(axes, [f"{LABELS[named['protocol']]}\n{named['in_flight']}" for named, _ in found], [case for _, case in found])
    axes.set_xlabel("requests in flight per connection")
    axes.set_title("one token, from the cache")
    return save(figure, folder, "hot")


def draw_latency(rows, folder):
    found = select(rows, body="form")
    figure, axes = plt.subplots(figsize=(9, 3.6))
    marks = {"p50_us": "o", "p99_us": "^", "p999_us": "x"}
    for server in ("introspectd", "bare libh2o"):
        shift = -0.1 if server == "introspectd" else 0.1
        for field, mark in marks.items():
            axes.scatter([x + shift for x in range(len(found))], [median_of(case[server], field) / 1000 for _, case in found],
                         marker=mark, s=22, color=COLORS[server], label=f"{server}, p{field[1:-3].replace('999', '99.9')}")  # fmt: skip
    axes.set_yscale("log")
    axes.set_xticks(range(len(found)), [f"{LABELS[named['protocol']]}\n{named['in_flight']}" for named, _ in found])
    axes.set_ylabel("ms, with the generator at full speed")
    axes.legend(frameon=False, fontsize=7, ncols=2)
    axes.set_title("time to answer, one token from the cache")
    return save(figure, folder, "latency")


def draw_cold(rows, folder):
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    figure, all_axes = plt.subplots(1, len(protocols), figsize=(4.5 * len(protocols), 3.6), squeeze=False)
    for axes, protocol in zip(all_axes[0], protocols):
        found = select(rows, protocol=protocol)
        draw_bars(axes, [named["algorithm"] for named, _ in found], [case for _, case in found])
        axes.set_title(f"every token new, {LABELS[protocol]}")
    return save(figure, folder, "cold")


def draw_choices(rows, folder, name, title, words):
    found = select(rows)
    figure, axes = plt.subplots(figsize=(6, 3.6))
    names = [f"{words[named['choice']]}\n{LABELS[named['protocol']]}" for named, _ in found]
    draw_bars(axes, names, [case for _, case in found])
    axes.set_title(title)
    return save(figure, folder, name)


def draw_pool(rows, folder):
    words = {"uniform": "uniform", "zipf": "Zipf"}
    return draw_choices(rows, folder, "pool", "a pool of tokens, from the cache", words)


def draw_inactive(rows, folder):
    words = {"one": "one forged token", "sequential": "each another"}
    return draw_choices(rows, folder, "inactive", "a flood of forged tokens", words)


def draw_mixed(rows, folder):
    figure, axes = plt.subplots(figsize=(9, 3))
    sizes = [float(row["rss_kib"]) / 1024 for row in rows]
    axes.plot([float(row["seconds"]) for row in rows], sizes, color=COLORS["introspectd"])
    axes.set_ylim(0, 1.2 * max(sizes))
    axes.set_xlabel("seconds of mixed load")
    axes.set_ylabel("RSS, MiB")
    axes.set_title("memory under all kinds of load in turn, from a full cache on")
    return save(figure, folder, "mixed")


def draw_micro(rows, folder):
    """What a look-up costs as the cache grows."""
    figure, axes = plt.subplots(figsize=(6, 3.6))
    lines = {}
    for row in rows:
        if row["group"] == "cache-get" and row["name"] in ("hit", "miss"):
            entries, threads = (int(part.split("=")[1]) for part in row["parameters"].split())
            lines.setdefault((row["name"], threads), []).append((entries, float(row["ns_per_operation"])))
    if all(len(points) < 2 for points in lines.values()):
        plt.close(figure)
        return []
    for (name, threads), points in lines.items():
        axes.plot(*zip(*sorted(points)), marker=".", linestyle="-" if name == "hit" else ":", color=THREAD_COLORS[threads.bit_length() % len(THREAD_COLORS)],
                  label=f"{name}, {threads} thread{'s' if threads > 1 else ''}")  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("entries in the cache")
    axes.set_ylabel("CPU per look-up, ns")
    axes.legend(frameon=False, fontsize=7)
    axes.set_title("a look-up without the digest")
    return save(figure, folder, "lookup")


TITLES = {
    "exponent": ("Zipf exponent", "{}"), "tokens": ("live tokens", "{:,}"), "rate_per_s": ("requests per second, all replicas", "{:,}"),
    "max_ttl_s": ("cache.max_ttl", "{} s"), "max_bytes": ("cache.max_bytes of each replica", "{} bytes"), "balancing": ("balancing", "{}"),
}  # fmt: skip
CURVE_COLORS = ("#1f6feb", "#1a7f37", "#d29922", "#cf222e")


def draw_replicas(rows, folder):
    """Dots: replayed over the product's cache. Lines: reckoned, without the bound on bytes."""
    figure, all_axes = plt.subplots(2, 3, figsize=(12, 6.6), sharey=True)
    for axes, (name, values) in zip(all_axes.flat, replicas.VARIED.items()):
        title, form = TITLES[name]
        for value, color in zip(values, CURVE_COLORS):
            points = replicas.curve(rows, name, value)
            if not points:
                continue
            counts = [int(point["replicas"]) for point in points]
            label = f"{value // replicas.MIB} MiB" if name == "max_bytes" else form.format(value)
            axes.plot(counts, [float(point["hit_ratio"]) for point in points], "o", markersize=4, color=color, label=label)
            axes.plot(counts, [float(point["reckoned_hit_ratio"]) for point in points], linewidth=1, color=color)
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=7, loc="lower left")
    for axes in all_axes[-1]:
        axes.set_xlabel("replicas")
    for axes in all_axes[:, 0]:
        axes.set_ylabel("hit ratio")
    return save(figure, folder, "replicas")


DRAWINGS = {
    "hot": [draw_hot, draw_latency],
    "pool": [draw_pool],
    "cold": [draw_cold],
    "inactive": [draw_inactive],
    "mixed": [draw_mixed],
    "micro": [draw_micro],
    "replicas": [draw_replicas],
}


def draw_all(folder):
    """Every plot that the folder's files allow; gives their paths."""
    paths = []
    for name, drawings in DRAWINGS.items():
        file = folder / f"{name}.csv"
        if file.exists():
            for draw in drawings:
                paths += draw(read_csv(file), folder)
    return paths
