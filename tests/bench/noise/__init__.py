"""How noisy each shipped benchmark is here, and what the rule-based configuration gains on it."""
