"""Synthetic data: generated motion, domain randomisation, and a simulated detector's joints and errors."""
