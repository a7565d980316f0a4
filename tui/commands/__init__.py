"""The subcommands of `sdtui`, one module each with a `run(options) -> exit status`. Listed in `tui.cli`."""
