"""Measures the real-time server beside others, and beside bare writes."""
