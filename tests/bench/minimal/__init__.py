"""How many of the winner's knobs can be sent home on offline problems, of those that matter and of the others."""
