"""One run of a flow: its inputs, where it runs, how it resumes, and how it is recorded."""
