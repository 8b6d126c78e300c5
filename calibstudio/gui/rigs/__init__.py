"""Rigs in the window: connecting them, device by device, and editing them."""
