"""OtterTune's four files of a trial: written for our trials, and read back into a finished experiment.

OtterTune's controller made `knobs.json`, `metrics_before.json`, `metrics_after.json` and `summary.json` of every
observation, and its driver kept them as `<prefix>__knobs.json` and so on. `docs/ottertune.md` describes the shapes.
"""
