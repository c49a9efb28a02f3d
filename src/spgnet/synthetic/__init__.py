"""Synthetic data: generated motion, and a simulated detector's joints and errors."""
