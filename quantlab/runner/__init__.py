"""How anything runs, a paper session or a research run."""
