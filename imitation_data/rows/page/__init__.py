"""The parts of `html_to_markdown`: reading tags and code blocks, writing text and blocks."""
