"""What stays beside every view: next token, heads, intervention and search."""
