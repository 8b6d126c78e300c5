"""The Capture workspace: wizards that make a plan, and the sequence that carries it out."""
