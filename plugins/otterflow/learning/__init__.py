"""What earlier experiments teach: past experiments, and models that are kept."""
