"""What a run is worth: results, objectives, formulas, the scale of values, drift."""
