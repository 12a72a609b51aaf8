"""What every panel is made of: elements, parts, acts, controls, tables."""
