"""Export is tested on checkpoints with the real architectures and toy sizes, made here."""
