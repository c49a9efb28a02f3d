"""Data: loading and making motion, the views of virtual cameras on it, and training windows."""
