"""The `parley` command: gathers subcommands by entry points. Imports nothing of ours."""
