"""What came of an experiment as something to look at and to take along."""
