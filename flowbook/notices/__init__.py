"""Tells people of runs: that one waits for them, failed or ended; by mail, chat, webhook, a command or a function."""
