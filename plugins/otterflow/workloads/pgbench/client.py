"""What every run of pgbench shares: its options for the load, the summary of its log, its progress.

The log has a line for each transaction; it is reduced to a few numbers with awk where it was written, on the driver
host. Source: https://www.postgresql.org/docs/current/pgbench.html.
"""

from __future__ import annotations

import math
import re

from otterflow.workloads.pgbench.output import LATENCY_FILE
from otterflow.workloads.pgbench.settings import ClientSettings

LOG_OPTIONS = ("--log", "--log-prefix=transactions")

COUNT_AWK = """\
# pgbench's log: client, transaction, time in us (or "failed", "skipped"), script, end's second, end's microsecond.
# Writes how often each script's latencies were seen, and the other numbers of the summary to the file named by
# `summary`. A script from number `scripts` on is a pause: it is part of the window and of nothing else.
$3 ~ /^[0-9]+$/ && NF >= 6 {
    ended = $5 * 1000000 + $6
    if (lines++ == 0 || ended - $3 < first) first = ended - $3
    if (ended > last) last = ended
    if ($4 >= scripts) { pauses++; next }
    seen[$4 " " $3]++
    count++
    sum += $3
    script_count[$4]++
    script_sum[$4] += $3
    next
}
$3 == "failed" || $3 == "skipped" { other[$3]++; next }
{ other["unreadable"]++ }
END {
    printf "count %.0f\\nsum_us %.0f\\nspan_us %.0f\\n", count, sum, last - first > summary
    printf "pauses %d\\n", pauses > summary
    printf "failed %d\\nskipped %d\\nunreadable %d\\n", other["failed"], other["skipped"], other["unreadable"] > summary
    for (k = 0; k < scripts && scripts > 1; k++)
        printf "script_%d_count %d\\nscript_%d_sum_us %.0f\\n", k, script_count[k], k, script_sum[k] > summary
    for (latency in seen) {
        print latency, seen[latency]
        if (scripts > 1) {
            split(latency, parts, " ")
            print "all", parts[2], seen[latency]
        }
    }
}
"""

PERCENTILES_AWK = """\
# From "script latency how-often" lines, each script's in rising order: percentiles by nearest rank (the smallest
# latency that at least the given share of all transactions kept). The numbers of all scripts go by no name.
function flush(    p, i, name) {
    split("50 95 99", wanted, " ")
    name = scripts > 1 && script != "all" ? "script_" script "_" : ""
    for (p = 1; p <= 3; p++) {
        for (i = 1; i < n && upto[i] * 100 < wanted[p] * total; i++);
        if (n > 0) printf "%sp%d_us %.0f\\n", name, wanted[p], latency[i]
    }
}
$1 "" != script "" { flush(); script = $1; n = total = 0 }
{ latency[++n] = $2; upto[n] = total += $3 }
END { flush() }
"""

SUMMARY_FILES = {"count.awk": COUNT_AWK, "percentiles.awk": PERCENTILES_AWK}

_PROGRESS = re.compile(r"progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+|NaN) ms(?:.*?, (\d+) failed)?")


def load_words(settings: ClientSettings, seconds: float, seed: int) -> list[str]:
    """The options that say how many clients work for how long."""
    return [
        f"--client={settings.clients}",
        f"--jobs={settings.threads}",
        f"--time={math.ceil(seconds)}",
        f"--protocol={settings.protocol}",
        f"--random-seed={seed}",
        "--progress=1",
    ]


def summarise(scripts: int = 1) -> str:
    """Bash that reduces the log of `scripts` scripts to `LATENCY_FILE` and removes it."""
    return f"""\
awk -v summary={LATENCY_FILE} -v scripts={scripts} -f count.awk transactions.* > latencies.txt
sort -k1,1 -k2,2n latencies.txt | awk -v scripts={scripts} -f percentiles.awk >> {LATENCY_FILE}
rm -f transactions.*
"""


def run_rate(line: str) -> float | None:
    """The transactions per second of the last second, as pgbench says; None for another line."""
    run = _PROGRESS.search(line)
    return float(run.group(2)) if run else None


def run_progress(line: str, share: float = 1.0) -> str | None:
    """What pgbench says every second of a run; None for another line.

    `share` is the share of its transactions that are none of its pauses; below 1 its mean latency says nothing.
    """
    run = _PROGRESS.search(line)
    if not run:
        return None
    seconds, tps, latency, failed = run.groups()
    errors = f", {failed} failed" if failed and failed != "0" else ""
    about = "about " if share < 1 else ""
    mean = "" if share < 1 or latency == "NaN" else f", latency {float(latency):.2f} ms"
    return f"{float(seconds):.0f} s: {about}{float(tps) * share:,.0f} transactions/s{mean}{errors}"
