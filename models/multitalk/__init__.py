"""MultiTalk (arXiv 2505.22647): audio attention bound to people by label rotary embedding."""
