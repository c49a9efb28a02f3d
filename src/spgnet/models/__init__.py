"""The lifting networks and their configurations."""
