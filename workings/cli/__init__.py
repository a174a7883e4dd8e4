"""The command line: arguments and printing; everything else is done by the library."""
