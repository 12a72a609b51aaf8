"""What heads do, measured."""
