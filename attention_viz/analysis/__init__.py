"""What is measured: pure functions (model, request, pace) → record."""
