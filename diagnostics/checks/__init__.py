"""The checks, one file each: what is asked (probe), what the answers mean (judge)."""
