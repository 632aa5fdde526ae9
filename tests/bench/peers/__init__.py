"""One tool each: a file of prompts sent to a server, the time as one line of JSON."""
