"""What an experiment is and how it goes: its plan, the loop, the comparison and what is said of them."""
