"""What becomes of a version when it leaves the store."""
