"""Runs a step again and again as whole passes, and times each: for streams of queries and for work that has an end."""

from __future__ import annotations

import re

_LOOP = """\
look() {
    read -r up_ms _ < /proc/uptime
    up_ms=$((10#${up_ms/./} * 10)) now_ms=$(($(date +%s%N) / 1000000))
}
since_begin() {
    look
    ms=$((now_ms - begun_ms)) by_uptime=$((up_ms - begun_up_ms))
    if ((ms - by_uptime > CLOCK_SET_MS || by_uptime - ms > CLOCK_SET_MS)); then ms=$by_uptime; fi
}
: > TIMINGS
look
begun_ms=$now_ms begun_up_ms=$up_ms done=0 elapsed=0 last=0
while ((done < passes || elapsed + last <= budget_ms)); do
    echo "pass $((done + 1))" | tee -a TIMINGS
    STEP
    since_begin
    last=$((ms - elapsed)) elapsed=$ms done=$((done + 1))
    echo "pass_ms $last" | tee -a TIMINGS
done
echo "measured_ms $elapsed" | tee -a TIMINGS
"""

CLOCK_SET_MS = 200
"""How far the host's clock may be from its uptime before it is known to have been set in the middle of a run. The time
since boot, which nobody can set, is told in hundredths of a second, and is believed from then on."""

PROGRAMS = ("date", "tee")
"""What the loop is made of."""

_BEGUN = re.compile(r"pass (\d+)\s*$")
_ENDED = re.compile(r"pass_ms (\d+)\s*$")


def pass_loop(step: str, timings_file: str, *, passes: int, budget_s: float) -> str:
    """Bash that runs `step`, bash text, at least `passes` times, and on as long as one more is likely to fit.

    `timings_file` gets the lines `pass <number>` and `pass_ms <milliseconds>` of each pass, whatever the step appends
    to it, and `measured_ms <milliseconds>` as its last line.
    """
    bounds = f"passes={passes} budget_ms={round(budget_s * 1000)}\n"
    loop = _LOOP.replace("CLOCK_SET_MS", str(CLOCK_SET_MS))
    return bounds + loop.replace("STEP", step).replace("TIMINGS", timings_file)


def pass_progress(line: str, what: str) -> str | None:
    """What a line of the loop's output says of a pass of `what`; None if it says nothing of it."""
    if begun := _BEGUN.match(line):
        return f"pass {begun.group(1)} of the {what} has begun"
    if ended := _ENDED.match(line):
        return f"pass of the {what} took {int(ended.group(1)) / 1000:.1f} s"
    return None
