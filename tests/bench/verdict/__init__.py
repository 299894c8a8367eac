"""How often the verdict over intervals says yes where that is wrong, and how often where it is right."""
