"""Compares sansocket with its peers: see ../README.md."""
