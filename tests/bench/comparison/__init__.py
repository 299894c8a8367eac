"""How often the final comparison replaces a baseline that is as good as the other arms."""
