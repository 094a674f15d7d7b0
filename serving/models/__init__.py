"""`neurosense models …`: lists, checks and swaps the versions that Triton serves."""
