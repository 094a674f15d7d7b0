"""The two small checkpoints the project ships, and the scripts that train them."""
